import { type Session, setLinkNews, signIn } from "./session.ts";

export interface LinkNewsProps {
  session: Session;
  /** Another session, offered by the link that led here. */
  offer: Session | undefined;
  /** Fault of the link that led here, in words. */
  notice: string | undefined;
  /** Called when the present session is kept and the news is dismissed. */
  onDismiss(): void;
}

/** Shows the outcome of a link to a person who is already signed in: the offer of another session, or a problem. */
export function LinkNews({ session, offer, notice, onDismiss }: LinkNewsProps) {
  const isSame = offer?.subject === session.subject;
  const dismiss = () => {
    setLinkNews({});
    onDismiss();
  };
  return (
    <>
      {offer && (
        <section className="offer" aria-label="Another session">
          <p role="alert">
            The link that you followed signs in as <strong>{offer.subject}</strong>
            {isSame ? ", with another token." : ", and you are signed in as "}
            {!isSame && <strong>{session.subject}</strong>}
            {!isSame && "."}
          </p>
          <div className="choices">
            <button type="button" onClick={dismiss}>
              {isSame ? "Keep this token" : `Stay ${session.subject}`}
            </button>
            <button type="button" onClick={() => void take(offer)}>
              {isSame ? "Take the other" : `Become ${offer.subject}`}
            </button>
          </div>
        </section>
      )}
      {notice && (
        <section className="offer" aria-label="The link">
          <p role="alert">{notice}</p>
          <div className="choices">
            <button type="button" onClick={dismiss}>
              Close
            </button>
          </div>
        </section>
      )}
    </>
  );
}

/** Replaces this session by the one that a link has offered. */
async function take(offer: Session): Promise<void> {
  const problem = await signIn(offer);
  if (problem) setLinkNews({ problem });
}
