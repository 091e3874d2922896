import { listContacts, setMe } from '$lib/api/contacts';
import type { Contact, ContactUpdate, ContactsInitial } from '$lib/api/types';
import { Collection } from './collection.svelte';
import { toasts } from './toasts.svelte';

/** All people, kept current by the contacts stream while a view shows them. */
export const people = new Collection<Contact, ContactUpdate>({
  topic: 'contacts',
  load: listContacts,
  initial: (data) => (data as ContactsInitial).contacts,
  update: ({ contact_id, ...fields }) => ({ id: contact_id, ...fields }),
});

/** Says whether somebody is the user; shows it at once and takes it back if the program refuses. */
export async function markAsMe(contact: Contact, isMe: boolean): Promise<void> {
  people.set({ ...contact, is_me: isMe });
  try {
    people.set(await setMe(contact.id, isMe));
  } catch (error) {
    people.set(contact);
    toasts.fail(error);
  }
}
