// Runs before the first paint, so that a chosen theme does not flash. A file, because the policy allows no inline script of ours.
const theme = localStorage.getItem('chatstats:theme');
if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
