import { describe, expect, it } from 'vitest';
import type { PassInfo } from '$lib/api/types';
import { cadence, configFile, whyFixed } from './passes';

function pass(name: string, enabled: boolean, needs: string[] = [], off_in_config = false): PassInfo {
  const reach = { covered: 0, conversations: 0 };
  return { name, version: 1, about: '', live: false, enabled, off_in_config, needs, ...reach };
}

describe('why a pass cannot be switched', () => {
  const language = pass('language', true);
  const topics = pass('topics', true, ['language']);
  const mood = pass('sentiment', true, ['language']);

  it('is nothing where nothing stands against it', () => {
    expect(whyFixed(language, [language])).toBeNull();
    expect(whyFixed(topics, [language, topics])).toBeNull();
  });

  it('names those that need it, as long as they are on', () => {
    expect(whyFixed(language, [language, topics])).toBe('Topics needs it.');
    expect(whyFixed(language, [language, topics, mood])).toBe('Topics and Sentiment need it.');
    expect(whyFixed(language, [language, pass('topics', false, ['language'])])).toBeNull();
  });

  it('names what it needs and is off', () => {
    const all = [pass('language', false), pass('topics', false, ['language'])] as const;
    expect(whyFixed(all[1], all)).toBe('Language is switched off.');
    expect(whyFixed(all[0], all)).toBeNull();
  });

  it('says that the file wins', () => {
    expect(whyFixed(pass('topics', false, ['language'], true), [language])).toContain('config.toml');
  });
});

it('says when a pass runs, and what it needs', () => {
  expect(cadence({ ...pass('activity', true), live: true })).toBe('With every message');
  expect(cadence(pass('topics', true, ['language']))).toBe('Once a conversation is over · needs Language');
});

it('writes the path of the settings as the system does', () => {
  expect(configFile('/home/robin/chatstats')).toBe('/home/robin/chatstats/config.toml');
  expect(configFile('C:\\Users\\robin')).toBe('C:\\Users\\robin\\config.toml');
});
