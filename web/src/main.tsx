import "./ui/base.css";
import "./ui/controls.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { takeTokenFromAddress } from "./session/session.ts";

// Taken before anything is drawn, so that the token is never seen, and again when a link is opened in this tab.
takeTokenFromAddress();
addEventListener("hashchange", takeTokenFromAddress);

const root = document.getElementById("app");
if (!root) throw new Error("#app is missing");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
