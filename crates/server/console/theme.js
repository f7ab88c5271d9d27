// Sets the colours before anything is drawn. A classic script, since modules wait for the document.
(() => {
  let theme = null;
  try { theme = localStorage.getItem("bo-console-theme"); } catch { /* Storage is switched off: the system's colours. */ }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
