/**
 * The locale of dates and numbers. The words of the app are English, so names of days and months are too; a person's own
 * English (order of day and month, 12 or 24 hours) is kept.
 */
export const LOCALE = navigator.language.startsWith('en') ? navigator.language : 'en-GB';
