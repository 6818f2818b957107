import "./streams.css";
import { type ClientStreamResponse, StreamService } from "@rollcall/gen/stream/v1/stream";
import { type DragEvent, useRef, useState } from "react";
import { formatBytes, formatRate } from "../bytes.ts";
import { uploadCommands } from "../commands.ts";
import { Button } from "../components/button.tsx";
import { CallPanel } from "../components/call-panel.tsx";
import { CopyButton } from "../components/copy-button.tsx";
import { describeError } from "../errors.ts";
import { hashChunks } from "../hash-chunks.ts";
import { streams } from "../streams-api.ts";
import { useCall } from "../use-call.ts";

const { clientStream } = StreamService.method;

interface Upload {
  readonly file: File;
  readonly sentBytes: number;
  readonly checksum?: string | undefined;
  readonly receipt?: ClientStreamResponse;
}

/** Client streaming: a file goes up in chunks, and its checksum is compared. */
export function UploadPage() {
  const call = useCall();
  const input = useRef<HTMLInputElement>(null);
  const [upload, setUpload] = useState<Upload>();
  const [isOver, setIsOver] = useState(false);
  const { snapshot, running } = call;

  const start = async (file: File | undefined) => {
    if (!file || running) return;
    setUpload({ file, sentBytes: 0 });
    const update = (change: Partial<Upload>) => setUpload((before) => before && { ...before, ...change });
    const { chunks, checksum } = hashChunks(file, (sentBytes) => update({ sentBytes }));
    try {
      const receipt = await streams.clientStream(chunks, call.begin());
      update({ receipt, checksum: checksum() });
    } catch {
      // The call's record has the error, and the page shows it from there.
    }
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setIsOver(false);
    void start(event.dataTransfer.files[0]);
  };

  return (
    <div className="with-panel">
      <section>
        <h1>Upload</h1>
        <p className="lead">A file goes up in pieces; the server keeps none, and answers with what it counted.</p>
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
        <progress aria-label="Upload" value={upload?.sentBytes ?? 0} max={upload?.file.size || 1} />
        <div className="status-row">
          <p className="status" role="status">
            {running && "Uploading…"}
            {snapshot?.state === "done" && "Uploaded."}
            {snapshot?.error && describeError(snapshot.error)}
          </p>
          <Button isOff={!running} onClick={call.cancel}>
            Cancel
          </Button>
        </div>
        <dl className="facts card">
          <div>
            <dt>File</dt>
            <dd>{upload?.file.name ?? "–"}</dd>
          </div>
          <div>
            <dt>Sent</dt>
            <dd className="numeric">
              {upload ? `${formatBytes(upload.sentBytes)} of ${formatBytes(upload.file.size)}` : "–"}
            </dd>
          </div>
          <div>
            <dt>Rate</dt>
            <dd className="numeric">
              {upload && snapshot?.durationMs ? formatRate((upload.sentBytes * 1_000) / snapshot.durationMs) : "–"}
            </dd>
          </div>
          <Checksum title="SHA-256 here" value={upload?.receipt && upload.checksum} />
          <Checksum title="SHA-256 there" value={upload?.receipt?.checksum} />
        </dl>
        <p className="verdict" role="status">
          {upload?.receipt && verdictOf(upload, upload.receipt)}
        </p>
      </section>
      <CallPanel
        method={clientStream}
        snapshot={snapshot}
        commands={uploadCommands(location.origin, clientStream, upload?.file.name ?? "photo.jpg")}
      />
    </div>
  );
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

function verdictOf({ file, checksum }: Upload, receipt: ClientStreamResponse): string {
  return receipt.checksum === checksum && receipt.totalBytes === BigInt(file.size)
    ? "✓ The server received exactly this file."
    : "✗ The server received something else.";
}
