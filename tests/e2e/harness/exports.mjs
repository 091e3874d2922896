const pad = (n) => String(n).padStart(2, '0');

/** A WhatsApp export as an iPhone writes it; `broken` lines of a format nobody knows stand at its start. */
export function whatsapp(count, { people = ['Anna Schmidt', 'Robin'], broken = 0 } = {}) {
  const start = Date.UTC(2024, 0, 15, 8);
  const lines = Array.from({ length: count }, (_, i) => {
    const at = new Date(start + i * 60_000);
    const date = `${pad(at.getUTCDate())}/${pad(at.getUTCMonth() + 1)}/${at.getUTCFullYear()}`;
    const time = `${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}:${pad(at.getUTCSeconds())}`;
    return `[${date}, ${time}] ${people[i % people.length]}: whatsapp message ${i + 1}`;
  });
  const before = Array.from({ length: broken }, (_, i) => `a line without a header ${i + 1}`);
  return [...before, ...lines, ''].join('\r\n');
}

/** A Telegram Desktop export of one chat. */
export function telegram(count, { name = 'Book club', people = ['Chloé Dubois', 'Deniz Kaya'] } = {}) {
  const start = Date.UTC(2024, 1, 1, 9) / 1000;
  const messages = Array.from({ length: count }, (_, i) => {
    const seconds = start + i * 90;
    return {
      id: i + 1,
      type: 'message',
      date: new Date(seconds * 1000).toISOString().slice(0, 19),
      date_unixtime: String(seconds),
      from: people[i % people.length],
      from_id: `user${100 + (i % people.length)}`,
      text: `telegram message ${i + 1}`,
      text_entities: [{ type: 'plain', text: `telegram message ${i + 1}` }],
      ...(i === 5 ? { reply_to_message_id: 2 } : {}),
    };
  });
  return JSON.stringify({ name, type: 'private_group', id: 4_711, messages });
}

/** A file for a picker. */
export function file(name, text) {
  return {
    name,
    mimeType: name.endsWith('.json') ? 'application/json' : 'text/plain',
    buffer: Buffer.from(text),
  };
}
