// The chosen theme, before anything is drawn.
try {
  const theme = localStorage.getItem("phrasebox-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // storage is refused: the system's theme
}
