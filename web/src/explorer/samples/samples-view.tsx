import { useState } from "react";
import { CopyButton } from "../../ui/copy-button.tsx";
import { useFirstSign } from "../../ui/use-first-sign.ts";
import { Segments } from "../segments.tsx";
import { commands } from "./commands.ts";
import type { SampledCall, Samples } from "./sampled-call.ts";

const LANGUAGES = ["TypeScript", "Go", "Python"];
const NAMES = [...Object.keys(commands), ...LANGUAGES];
const FAILED = "This part of the page can't be loaded: load the page again.";

const loadPrograms = () => import("./programs.ts");
const preloadPrograms = () => void loadPrograms().catch(() => {});

/** Shows a call as samples, one at a time, by the name of the tool or language. */
export function SamplesView({ call }: { call: SampledCall }) {
  const [chosen, setChosen] = useState("curl");
  const [programs, setPrograms] = useState<Samples>();
  const [hasFailed, setFailed] = useState(false);
  useFirstSign(preloadPrograms);
  const choose = (name: string) => {
    setChosen(name);
    if (!LANGUAGES.includes(name)) return;
    loadPrograms().then(
      (loaded) => setPrograms(loaded.programs),
      () => setFailed(true),
    );
  };
  const sample = (commands[chosen] ?? programs?.[chosen])?.(call);
  return (
    <div className="samples">
      <Segments label="Tool or language" options={NAMES} value={chosen} onChange={choose} />
      <CopyButton key={chosen} text={sample ?? ""} label={`Copy the sample for ${chosen}`} />
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must be able to reach it */}
      <section aria-label={`Sample for ${chosen}`} tabIndex={0}>
        <pre>
          <code>{sample ?? (hasFailed ? FAILED : "Loading…")}</code>
        </pre>
      </section>
    </div>
  );
}
