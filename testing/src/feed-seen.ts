import type { User, WatchUsersResponse } from "@rollcall/gen/user/v1/user";

/** The user that is created last, whom all filters find. */
export const LAST_USER = { name: "Red Green", email: "last@example.com" };

/** Bytes of a resume token before the place in it. */
const PLACE_START = 25;

/** View of one watcher: the matching users by id, and the violations of the feed's promises that it has seen. */
export class Seen {
  readonly users = new Map<string, User>();
  readonly faults: string[] = [];
  changeCount = 0;
  /** Number of times that the watcher was cut off and resumed, did so after a `progress`, and began anew. */
  resumes = 0;
  resumesBehindProgress = 0;
  resets = 0;
  /** Number of times that `synced` came when everything written before had been sent. */
  readsOfWrites = 0;
  /** Changes whose number was taken before that of the previous change. */
  overtaken = 0;
  token = "";
  readonly name: string;
  readonly filter: string;
  #isSynced = false;
  #isBehindProgress = false;
  #lastChangeId = "";
  #lastPlace = "";
  #owed: User | undefined;

  constructor(name: string, filter: string) {
    this.name = `${name}, "${filter}"`;
    this.filter = filter;
  }

  /** Whether the last user has been seen, and all users that existed. */
  get hasLast(): boolean {
    return this.#isSynced && [...this.users.values()].some(({ name }) => name === LAST_USER.name);
  }

  /** Begins a stream. It owes the watcher a user that was written before, unless that was removed since. */
  open(owed: User | undefined): void {
    // If it was cut off among the existing users, it begins anew.
    if (this.token === "" && this.users.size > 0) this.begin();
    this.#isSynced = false;
    this.#owed = this.filter === "" ? owed : undefined;
  }

  /** Notes that the stream was cut off. */
  cut(): void {
    this.resumes += 1;
    if (this.#isBehindProgress) this.resumesBehindProgress += 1;
  }

  /** @param isRemoved Returns whether somebody has asked for the removal of a user. */
  add({ event, resumeToken, changeId }: WatchUsersResponse, isRemoved: (id: string) => boolean): void {
    const fault = (text: string) => this.faults.push(`${this.name}: ${text} (${changeId || "no change"})`);
    if (resumeToken !== "") {
      const place = Buffer.from(resumeToken, "base64url").toString("latin1", PLACE_START);
      if (place < this.#lastPlace) fault("a token went back");
      this.#lastPlace = place;
      this.token = resumeToken;
      this.#isBehindProgress = event.case === "progress";
    }
    if (changeId !== "") {
      // Ids must rise and never repeat. Those of another database begin anew.
      if (epochOf(changeId) === epochOf(this.#lastChangeId) && changeId <= this.#lastChangeId)
        fault(`came behind ${this.#lastChangeId}`);
      if (changeId.slice(-16) < this.#lastChangeId.slice(-16)) this.overtaken += 1;
      this.#lastChangeId = changeId;
      this.changeCount += 1;
    }
    switch (event.case) {
      case "created":
        if (this.users.has(event.value.id)) fault(`${event.value.id} was created twice`);
        this.users.set(event.value.id, event.value);
        break;
      case "updated": {
        const known = this.users.get(event.value.id);
        if (!known) fault(`${event.value.id} was updated before it was created`);
        else if (versionOf(event.value) !== versionOf(known) + 1) {
          fault(`${event.value.id} went from ${known.etag} to ${event.value.etag}`);
        }
        this.users.set(event.value.id, event.value);
        break;
      }
      case "removed":
        if (!this.users.delete(event.value.id)) fault(`${event.value.id} was removed, but not there`);
        break;
      case "synced":
        this.#isSynced = true;
        this.#assertWritesRead(isRemoved, fault);
        break;
      case "reset":
        this.begin();
        break;
    }
  }

  /** Forgets everything: the stream begins anew. */
  begin(): void {
    this.resets += 1;
    this.#isSynced = false;
    this.#isBehindProgress = false;
    this.#lastPlace = "";
    this.token = "";
    this.users.clear();
  }

  #assertWritesRead(isRemoved: (id: string) => boolean, fault: (text: string) => void): void {
    if (!this.#owed || isRemoved(this.#owed.id)) return;
    const known = this.users.get(this.#owed.id);
    if (!known || versionOf(known) < versionOf(this.#owed)) fault(`synced came before ${this.#owed.id}`);
    this.readsOfWrites += 1;
    this.#owed = undefined;
  }
}

function epochOf(changeId: string): string {
  return changeId.slice(0, changeId.indexOf("."));
}

function versionOf({ etag }: User): number {
  return Number(etag.slice(1, -1));
}
