import "../calls/calls.css";
import "./upload-page.css";
import { ConnectError } from "@connectrpc/connect";
import { ChecksumMismatchError, preloadStreams, RollcallError } from "@rollcall/client";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { formatBytes } from "@rollcall/shared/format-bytes";
import { type DragEvent, useEffect, useRef, useState } from "react";
import { client } from "../api/client.ts";
import { describeError } from "../api/errors.ts";
import { BASE_URL } from "../base.ts";
import { CallPanel } from "../calls/call-panel.tsx";
import type { CallSnapshot } from "../calls/call-record.ts";
import { uploadCommands } from "../calls/shell-commands.ts";
import { useCall } from "../calls/use-call.ts";
import { scopedPage } from "../session/scoped-page.tsx";
import { Button } from "../ui/button.tsx";
import { CopyButton } from "../ui/copy-button.tsx";
import { useFirstSign } from "../ui/use-first-sign.ts";

const { clientStream } = StreamService.method;

interface Upload {
  readonly file: File;
  readonly sentBytes: number;
  /** SHA-256 in hexadecimal, of the bytes sent and of the bytes that the server received. */
  readonly checksums?: { readonly here: string; readonly there: string };
  /** Problem other than an error of the call itself. */
  readonly problem?: string;
}

/** Page of client streaming: it uploads a file in chunks, and compares the checksums. */
export const UploadPage = scopedPage(clientStream, "Upload", Upload);

function Upload() {
  const call = useCall();
  const input = useRef<HTMLInputElement>(null);
  const [shown, setShown] = useState<Upload>();
  const [dropProblem, setDropProblem] = useState<string>();
  const [isOver, setIsOver] = useState(false);
  const { snapshot, running } = call;
  const isDone = shown?.checksums !== undefined;
  useFirstSign(preloadStreams);
  usePreventedDrops();
  // The problem was that a file is being uploaded, so it is over when the upload ends.
  useEffect(() => {
    if (!running) setDropProblem(undefined);
  }, [running]);

  const start = async (file: File | undefined) => {
    if (!file || running) return;
    setDropProblem(undefined);
    setShown({ file, sentBytes: 0 });
    const update = (change: Partial<Upload>) => setShown((before) => before && { ...before, ...change });
    const onProgress = ({ sentBytes }: { sentBytes: number }) => update({ sentBytes });
    const { options, fail } = call.begin(false);
    try {
      const { checksum } = await client.streams.upload(file, { ...options, onProgress });
      update({ checksums: { here: checksum, there: checksum } });
    } catch (error) {
      if (error instanceof ChecksumMismatchError) update({ checksums: { here: error.sent, there: error.received } });
      // The page shows it from the call's record.
      else if (error instanceof ConnectError || error instanceof RollcallError) fail(error);
      else {
        update({ problem: "The file can't be read: it is a folder, or was changed or removed since it was chosen." });
      }
    }
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setIsOver(false);
    const { files } = event.dataTransfer;
    if (running) setDropProblem("Wait for this file, or cancel it, before the next one.");
    else if (files.length > 1) setDropProblem("One file at a time, please.");
    else void start(files[0]);
  };

  return (
    <div className="with-panel">
      <section>
        <h1>Upload</h1>
        <p className="lead">The file is sent in chunks. The server counts and hashes them, and keeps nothing.</p>
        {/* biome-ignore lint/a11y/noStaticElementInteractions: dropping is for the mouse; the button inside does the same */}
        <div
          className="drop-zone"
          data-over={isOver || undefined}
          onDragOver={(event) => {
            event.preventDefault();
            setIsOver(true);
          }}
          onDragLeave={() => setIsOver(false)}
          onDrop={drop}
        >
          <p>Drop a file here, or</p>
          <Button className="primary" isOff={running} onClick={() => input.current?.click()}>
            Choose a file
          </Button>
          <input
            ref={input}
            type="file"
            className="visually-hidden"
            aria-label="File"
            tabIndex={-1}
            onChange={(event) => {
              void start(event.target.files?.[0]);
              event.target.value = "";
            }}
          />
        </div>
        <progress aria-label="Upload" value={isDone ? 1 : fractionOf(shown)} max={1} />
        <div className="status-row">
          <p className="status" role="status">
            {dropProblem ?? shown?.problem ?? (snapshot && stateOf(snapshot))}
          </p>
          <Button isOff={!running} onClick={call.cancel}>
            Cancel
          </Button>
        </div>
        <dl className="facts card">
          <div>
            <dt>File</dt>
            <dd>{shown?.file.name ?? "–"}</dd>
          </div>
          <div>
            <dt>Sent</dt>
            <dd className="numeric">
              {shown ? `${formatBytes(shown.sentBytes)} of ${formatBytes(shown.file.size)}` : "–"}
            </dd>
          </div>
          <div>
            <dt>Rate</dt>
            <dd className="numeric">
              {shown && snapshot?.durationMs
                ? `${formatBytes((shown.sentBytes * 1_000) / snapshot.durationMs)}/s`
                : "–"}
            </dd>
          </div>
          <Checksum title="SHA-256 here" value={shown?.checksums?.here} />
          <Checksum title="SHA-256 there" value={shown?.checksums?.there} />
        </dl>
        <p className="verdict" role="status">
          {shown?.checksums && verdictOf(shown.checksums)}
        </p>
      </section>
      <CallPanel
        method={clientStream}
        snapshot={snapshot}
        commands={uploadCommands(BASE_URL, clientStream, shown?.file.name ?? "photo.jpg")}
      />
    </div>
  );
}

/** Keeps the browser from opening a file that is dropped beside the drop zone. */
function usePreventedDrops(): void {
  useEffect(() => {
    const prevent = (event: Event) => event.preventDefault();
    addEventListener("dragover", prevent);
    addEventListener("drop", prevent);
    return () => {
      removeEventListener("dragover", prevent);
      removeEventListener("drop", prevent);
    };
  }, []);
}

function Checksum({ title, value }: { title: string; value: string | undefined }) {
  return (
    <div>
      <dt>{title}</dt>
      <dd className="checksum">
        <code>{value ?? "–"}</code>
        {value && <CopyButton text={value} label={`Copy ${title}`} />}
      </dd>
    </div>
  );
}

function fractionOf(upload: Upload | undefined): number {
  return upload ? upload.sentBytes / Math.max(upload.file.size, 1) : 0;
}

function stateOf({ state, error, sent }: CallSnapshot): string {
  if (error) return describeError(error);
  if (state !== "running") return "Uploaded.";
  return sent > 0 ? "Uploading…" : "Opening a WebSocket…";
}

function verdictOf({ here, there }: NonNullable<Upload["checksums"]>): string {
  return here === there ? "✓ The server received exactly this file." : "✗ The server received something else.";
}
