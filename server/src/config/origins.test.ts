import { createReader } from "@rollcall/shared/settings/reader";
import { expect, test } from "vitest";
import { parseOrigins } from "./origins.ts";

function parse(origins: string) {
  const problems: string[] = [];
  return { origins: parseOrigins(createReader({ CORS_ORIGINS: origins }, problems), problems), problems };
}

test.each([
  "https://app.example.com",
  "http://localhost:5173",
  "http://127.0.0.1:3000",
  "http://[::1]:3000",
  "https://xn--bcher-kva.example",
  "tauri://localhost",
  "http://tauri.localhost",
  "capacitor://localhost",
  "ionic://localhost",
  "app://bundle",
  "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
  "moz-extension://9f0f0b5e-7d0a-4b3a-8d3e-0f4b8f0a9b1c",
  "safari-web-extension://9F0F0B5E-7D0A-4B3A-8D3E-0F4B8F0A9B1C",
  "vscode-webview://1c2d3e",
])("%s is an origin", (origin) => {
  expect(parse(origin)).toEqual({ origins: [origin], problems: [] });
});

test("several origins form a list", () => {
  expect(parse("https://a.example, tauri://localhost").origins).toEqual(["https://a.example", "tauri://localhost"]);
});

const wildcard = "has a wildcard, which no page's origin has; list each origin";
const none = "has no origin that a browser sends";
const form = "is not an origin, such as https://app.example.com or chrome-extension://<id>";
const several = "is not one origin; commas stand between several";
const write = (origin: string) => `is not what a browser sends; write "${origin}"`;

test.each([
  ["*", wildcard],
  ["https://*", wildcard],
  ["https://*.example.com", wildcard],
  ["https://app.example.com:*", wildcard],
  ["*://app.example.com", wildcard],
  ["chrome-extension://*", wildcard],
  ["null", "is what any sandboxed page sends; it can't be let in"],
  ["https://a.example/", write("https://a.example")],
  ["https://a.example/app?x#y", write("https://a.example")],
  ["https://a.example:443", write("https://a.example")],
  ["http://a.example:80", write("http://a.example")],
  ["HTTPS://A.Example", write("https://a.example")],
  ["https://bücher.example", write("https://xn--bcher-kva.example")],
  ["https://ada@a.example", write("https://a.example")],
  ["http://[0:0:0:0:0:0:0:1]:3000", write("http://[::1]:3000")],
  ["chrome-extension://abc/page.html", write("chrome-extension://abc")],
  ["Tauri://localhost", write("tauri://localhost")],
  ["wss://a.example", 'is not the origin of a page; write "https://a.example"'],
  ["ws://a.example:81", 'is not the origin of a page; write "http://a.example:81"'],
  ["file://", none],
  ["file:///app/index.html", none],
  ["app://", none],
  ["a.example", form],
  ["localhost:5173", form],
  ["//a.example", form],
  ["https://", form],
  ["https://a.example https://b.example", several],
  ["https://a.example;https://b.example", several],
])("%s is refused", (origin, problem) => {
  expect(parse(origin).problems).toEqual([`CORS_ORIGINS: ${JSON.stringify(origin)} ${problem}`]);
});
