// What the browser remembers: settings for good, drafts until the tab is closed. Works without, where storage is switched off.

const guarded = (use) => {
  try { return use(); } catch { return null; }
};

/** A setting of this browser; `null` where it was never chosen. */
export const setting = (name) => guarded(() => localStorage.getItem(`bo-console-${name}`));

/** Remembers a setting; `null` forgets it. */
export const remember = (name, value) =>
  guarded(() => (value === null ? localStorage.removeItem(`bo-console-${name}`) : localStorage.setItem(`bo-console-${name}`, value)));

/** A draft of this tab. */
export const draft = (key) => guarded(() => sessionStorage.getItem(`bo-console-draft ${key}`));

/** Keeps a draft; `null` drops it. */
export const keepDraft = (key, value) =>
  guarded(() => (value === null ? sessionStorage.removeItem(`bo-console-draft ${key}`) : sessionStorage.setItem(`bo-console-draft ${key}`, value)));

/** Drops every draft: the next person at this screen is another one. */
export const dropDrafts = () => guarded(() => sessionStorage.clear());
