import "./ui/base.css";
import "./ui/controls.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { takeCallback } from "./session/callback.ts";
import { takeTokenFromAddress } from "./session/link.ts";
import { startRenewal } from "./session/renewal.ts";
import { sessionState } from "./session/session.ts";
import { storedToken } from "./session/token-store.ts";

// Runs before anything is drawn, so that the token is never seen, and again when a link is opened in this tab.
void takeTokenFromAddress();
addEventListener("hashchange", () => void takeTokenFromAddress());
takeCallback();
startRenewal();
addEventListener("pageshow", ({ persisted }) => {
  // Going back from the provider may restore this page as it was before the sign-in.
  if (persisted && sessionState().status !== "in" && storedToken() !== undefined) location.reload();
});

const root = document.getElementById("app");
if (!root) throw new Error("#app is missing");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
