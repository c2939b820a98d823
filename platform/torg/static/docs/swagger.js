// Starts Swagger UI; a script of its own because the page's policy allows none inside the page.
const place = document.getElementById("documents");
SwaggerUIBundle({
  url: place.dataset.document,
  domNode: place,
  deepLinking: true,
  persistAuthorization: true,
  displayOperationId: false,
  displayRequestDuration: true,
  docExpansion: "list",
  filter: true,
  tryItOutEnabled: true,
  // The default would send the document to a public service.
  validatorUrl: null,
});
