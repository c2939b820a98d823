// Starts ReDoc; a script of its own because the page's policy allows none inside the page.
const place = document.getElementById("documents");
Redoc.init(
  place.dataset.document,
  {
    hideDownloadButton: false,
    nativeScrollbars: true,
    theme: { typography: { fontFamily: "system-ui, sans-serif", headings: { fontFamily: "system-ui, sans-serif" } } },
  },
  place,
);
