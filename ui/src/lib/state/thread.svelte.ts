import { messagePage, type PageAnchor } from '$lib/api/chats';
import { subscribe, type StreamEvent, type TopicState } from '$lib/api/live/client';
import type { ChatId, ChatUpdate, Message, MessageId, MessagesInitial, MessagesUpdate } from '$lib/api/types';
import type { MessagePage } from '$lib/api/types';
import { nextFrame } from './collection.svelte';
import { connection } from './connection.svelte';
import { compare, merge, renamed } from './merge';

/** Where the view is to go. A new object each time, so that going to the same place twice works. */
export interface Target {
  /** A message, or the end of the chat. */
  to: MessageId | 'end';
  /** Whether to point the message out. */
  flash: boolean;
  /** Whether it stands at the top, as the first of a day does, instead of in the middle. */
  top?: boolean;
}

/** Messages kept in memory: beyond it the far end is let go, and loaded again when it is scrolled to. */
const MAX_LOADED = 1200;
/** How long a view waits for the stream's first page before it asks for one itself. */
const STREAM_PATIENCE_MS = 400;
/** Arrivals that slide in together; in a flood the rest is simply there. */
const MAX_SLIDING = 20;

/** One chat as the message view shows it: a stretch without holes around where the view is, and live at its end. */
export class Thread {
  /** By timestamp, then id. Replaced, never changed in place. */
  messages = $state.raw<readonly Message[]>([]);
  hasBefore = $state(false);
  hasAfter = $state(false);
  loaded = $state(false);
  /** Whether the last change added or removed at the start: the list then keeps its distance from the end. */
  shift = $state(false);
  error = $state.raw<Error | null>(null);
  /** Messages that have arrived out of sight. */
  unseen = $state(0);
  /** The ids that arrived while the end was in sight: they slide in. */
  arrived = $state.raw<ReadonlySet<MessageId>>(new Set());
  target = $state.raw<Target | null>(null);

  #atEnd = true;
  #inView: Message | undefined;
  #newestId = 0;
  /** Counts windows: the answer to a question asked for an earlier one is dropped. */
  #window = 0;
  #reading = 0;
  #paging = false;
  #live = false;
  #following = false;
  #catchingUp = false;
  #behind = false;
  #buffer: Message[] = [];
  #endings: (() => void)[] = [];

  constructor(readonly chatId: ChatId) {}

  /** Opens the chat at an anchor, or at its end, and keeps it current. Call {@link close} when the view goes. */
  open(anchor?: PageAnchor): void {
    if (anchor) void this.show(anchor);
    this.#endings.push(
      subscribe(`chat/${this.chatId}`, {
        event: (name, data) => this.#hear(name, data),
        state: (state) => this.#stateChanged(state),
      }),
      subscribe('chats', { event: (name, data) => this.#hearChats(name, data) }),
    );
    const timer = setTimeout(() => {
      if (this.#window === 0) void this.show({});
    }, STREAM_PATIENCE_MS);
    this.#endings.push(() => clearTimeout(timer));
  }

  close(): void {
    this.#endings.forEach((end) => end());
    this.#endings = [];
    this.#window += 1;
  }

  /** Shows the stretch around an anchor and points its message out; without an anchor, the end. */
  async show(anchor: PageAnchor): Promise<void> {
    const id = 'around' in anchor ? anchor.around : undefined;
    if (id !== undefined && this.messages.some((message) => message.id === id)) {
      this.target = { to: id, flash: true };
      return;
    }
    this.#window += 1;
    await this.#read(anchor, (page) => {
      this.#reset(page);
      this.target = { to: targetOf(page, anchor), flash: 'around' in anchor, top: 'at' in anchor };
    });
  }

  /** Goes to the newest message. */
  async toEnd(): Promise<void> {
    if (this.hasAfter) await this.show({});
    else this.target = { to: 'end', flash: false };
    this.unseen = 0;
  }

  async loadOlder(): Promise<void> {
    const [oldest] = this.messages;
    if (!oldest || !this.hasBefore || this.#paging) return;
    await this.#page({ before: oldest.id }, (page) => {
      // Another stretch was asked for before this page was, and came first.
      if (this.messages[0]?.id !== oldest.id) return;
      this.shift = true;
      this.messages = [...this.#unknown(page.messages), ...renamed(this.messages, page.messages)];
      this.hasBefore = page.has_before;
      if (this.messages.length > MAX_LOADED) nextFrame(() => this.#trimEnd());
    });
  }

  async loadNewer(): Promise<void> {
    const newest = this.messages.at(-1);
    if (!newest || !this.hasAfter || this.#paging) return;
    await this.#page({ after: newest.id }, (page) => {
      if (this.messages.at(-1)?.id !== newest.id) return;
      this.shift = false;
      this.messages = [...renamed(this.messages, page.messages), ...this.#unknown(page.messages)];
      this.hasAfter = page.has_after;
      if (this.messages.length > MAX_LOADED) nextFrame(() => this.#trimStart());
    });
  }

  /** The view tells where it is: the first message in sight, and whether the end is. */
  looking(inView: Message | undefined, atEnd: boolean): void {
    this.#inView = inView;
    this.#atEnd = atEnd;
    if (atEnd && !this.hasAfter) this.unseen = 0;
    else if (this.arrived.size > 0) this.arrived = new Set();
  }

  #hear(name: StreamEvent, data: unknown): void {
    if (name === 'initial') this.#initial(data as MessagesInitial);
    if (name === 'update') this.#receive((data as MessagesUpdate).messages);
  }

  #initial({ messages, total, resumed }: MessagesInitial): void {
    const rejoined = this.#live;
    this.#live = true;
    if (resumed) {
      this.#receive(messages);
      return;
    }
    if (this.#window === 0) {
      this.#window = 1;
      this.#reset({ messages: [...messages], total, has_before: total > messages.length, has_after: false });
      this.target = { to: 'end', flash: false };
      return;
    }
    this.#knowNewest(messages);
    void (rejoined ? this.#readAnew() : this.#readAgain());
  }

  #stateChanged(state: TopicState): void {
    this.#following = state.phase === 'waiting';
    if (state.phase === 'waiting' && this.#window === 0) void this.show({});
    if (state.phase === 'live' && !this.#live) {
      // Joined a stream that was open before this view: its first page has gone by.
      this.#live = true;
      void (this.#window > 0 ? this.#readAgain() : this.show({}));
    }
    if (state.phase === 'refused' && state.status === 404) {
      this.error = new Error('This chat does not exist any more.');
    }
  }

  /** Without a stream of its own, the chat hears through the chats stream that something came. */
  #hearChats(name: StreamEvent, data: unknown): void {
    if (!this.#following || !this.loaded) return;
    const concerned =
      name === 'initial' || (name === 'update' && (data as ChatUpdate).chat_id === this.chatId);
    if (concerned) void this.#catchUp();
  }

  async #catchUp(): Promise<void> {
    this.#behind = true;
    if (this.#catchingUp) return;
    this.#catchingUp = true;
    while (this.#behind) {
      this.#behind = false;
      await this.#readTail();
    }
    this.#catchingUp = false;
  }

  /** Reads the newest page, which also tells of edits. What lies between it and what is loaded is left to paging. */
  #readTail(): Promise<void> {
    return this.#read({}, (page) => {
      const [first] = page.messages;
      const newest = this.messages.at(-1);
      if (first && newest && compare(first, newest) > 0) this.hasAfter = true;
      this.#buffer.unshift(...page.messages);
    });
  }

  /** Reads what is shown once more, for what may have come between reading it and listening. */
  #readAgain(): Promise<void> {
    const middle = this.messages[this.messages.length >> 1];
    if (!this.hasAfter || !middle) return this.#readTail();
    return this.#read({ around: middle.id }, (page) => void this.#buffer.unshift(...page.messages));
  }

  /** The stream could not resume, so what happened meanwhile is unknown: the stretch is replaced, the view stays. */
  #readAnew(): Promise<void> {
    this.#window += 1;
    const place = this.#atEnd ? undefined : this.#inView;
    return this.#read(place ? { around: place.id } : {}, (page) => {
      this.#reset(page);
      this.target = { to: place?.id ?? 'end', flash: false };
    });
  }

  async #page(anchor: PageAnchor, take: (page: MessagePage) => void): Promise<void> {
    this.#paging = true;
    try {
      await this.#read(anchor, take);
    } finally {
      this.#paging = false;
    }
  }

  /**
   * Reads a page and takes it in. What the stream brings meanwhile is held back until then: the page may or may not
   * have it, and where it is in both the stream's is the newer.
   */
  async #read(anchor: PageAnchor, take: (page: MessagePage) => void): Promise<void> {
    const window = this.#window;
    this.#reading += 1;
    try {
      const page = await messagePage(this.chatId, anchor);
      if (window === this.#window) take(page);
    } catch (error) {
      connection.noticed(error);
      if (window === this.#window && !this.loaded) this.error = error as Error;
    } finally {
      this.#reading -= 1;
      this.#flush();
    }
  }

  #receive(incoming: readonly Message[]): void {
    if (this.#buffer.length === 0) nextFrame(() => this.#flush());
    this.#buffer.push(...incoming);
  }

  /** Takes in what has arrived since the last frame. */
  #flush(): void {
    if (!this.loaded || this.#reading > 0 || this.#buffer.length === 0) return;
    const incoming = renamed(this.#buffer, this.#buffer);
    const fresh = new Set(incoming.filter(({ id }) => id > this.#newestId).map(({ id }) => id));
    this.#knowNewest(incoming);
    // Two steps where some belong above the view and some below: the list can hold on to one end at a time.
    const place = this.#atEnd ? undefined : this.#inView;
    const above = place ? incoming.filter((message) => compare(message, place) < 0) : [];
    this.#buffer = above.length > 0 ? incoming.filter((message) => !above.includes(message)) : [];
    this.shift = above.length > 0;
    this.messages = merge(this, above.length > 0 ? above : incoming);
    if (this.#atEnd && !this.hasAfter) this.arrived = new Set([...fresh].slice(-MAX_SLIDING));
    else this.unseen += fresh.size;
    if (this.#buffer.length > 0) nextFrame(() => this.#flush());
    else if (this.messages.length > MAX_LOADED && this.#atEnd) nextFrame(() => this.#trimStart());
  }

  #reset(page: MessagePage): void {
    this.shift = false;
    this.messages = page.messages;
    this.hasBefore = page.has_before;
    this.hasAfter = page.has_after;
    this.#knowNewest(page.messages);
    this.loaded = true;
    this.error = null;
  }

  #knowNewest(messages: readonly Message[]): void {
    for (const { id } of messages) if (id > this.#newestId) this.#newestId = id;
  }

  #unknown(messages: readonly Message[]): readonly Message[] {
    const known = new Set(this.messages.map(({ id }) => id));
    return messages.filter(({ id }) => !known.has(id));
  }

  #trimStart(): void {
    this.shift = true;
    this.messages = this.messages.slice(-MAX_LOADED / 2);
    this.hasBefore = true;
  }

  #trimEnd(): void {
    this.shift = false;
    this.messages = this.messages.slice(0, MAX_LOADED / 2);
    this.hasAfter = true;
  }
}

function targetOf(page: MessagePage, anchor: PageAnchor): MessageId | 'end' {
  if ('around' in anchor) return anchor.around;
  if (!('at' in anchor)) return 'end';
  const at = Date.parse(anchor.at);
  return page.messages.find(({ timestamp }) => Date.parse(timestamp) >= at)?.id ?? 'end';
}
