"use strict";

// The service knows no address of its own unless it is told one (EXPENSES_PUBLIC_URL); the browser knows where it is.
const api = document.getElementById("api");
if (api.textContent === "http://localhost:8080") {
  api.textContent = new URL(".", window.location.href).href.replace(/\/$/, "");
}
