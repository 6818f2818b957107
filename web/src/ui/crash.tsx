import { Component, type ReactNode } from "react";

/** Offers to reload a page that has failed, for example because its code could not be loaded. */
export class Crash extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <section className="notice" role="alert">
        <h1>This page could not be shown</h1>
        <p>The server may be away, or have a newer version of it.</p>
        <button type="button" onClick={() => location.reload()}>
          Load it again
        </button>
      </section>
    );
  }
}
