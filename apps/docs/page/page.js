// Shows the document beside this page, wherever the page is served from, and asks nobody else about it.
"use strict";

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#calls",
  deepLinking: true,
  displayOperationId: true,
  displayRequestDuration: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  filter: true,
  tryItOutEnabled: true,
  // The validator's badge would be loaded from elsewhere.
  validatorUrl: null,
  onComplete: () => {
    document.documentElement.dataset.ready = "true";
  },
});
