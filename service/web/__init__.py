"""HTTP: endpoints, requests, responses, the OpenAPI document and the pages."""
