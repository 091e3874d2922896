import { request, send } from './http';
import type { Contact, ContactId, ContactsInitial } from './types';

/** All people, the most recent first. */
export async function listContacts(): Promise<Contact[]> {
  return (await request<ContactsInitial>('/api/contacts')).contacts;
}

/** Says whether a person is the user. */
export function setMe(id: ContactId, isMe: boolean): Promise<Contact> {
  return send('PATCH', `/api/contacts/${id}`, { is_me: isMe });
}
