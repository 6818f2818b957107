import type { ChangePlace, LoggedChange } from "../domain/logged-change.ts";
import type { UserRepository } from "../repository/user-repository.ts";
import { ChangeFeed } from "./change-feed.ts";
import { filterWords } from "./filter-words.ts";
import { sizeOf } from "./page-size.ts";
import { PageTokens } from "./page-token.ts";
import { ResumeTokens } from "./resume-token.ts";
import { UserWatcher } from "./user-watcher.ts";
import { changeIdOf } from "./watch-event.ts";

export interface UserChangesDependencies {
  repository: UserRepository;
  /** Time after which a quiet watcher gets `progress`, in milliseconds. Default 15 s. */
  progressIntervalMs?: number | undefined;
  /** Changes that a watcher may be behind. Default 1,024. */
  maxLag?: number | undefined;
  /** Called with the error when the feed of changes fails, unless the database is only unavailable. */
  onError(error: unknown): void;
}

export interface HistoryQuery {
  readonly userId: string;
  /** Most changes on the page; 50 when 0 or less, never more than 1000. */
  readonly pageSize: number;
  /** Token from the previous page of the same user; "" for the first. */
  readonly pageToken: string;
}

export interface HistoryPage {
  /** The latest first. */
  readonly changes: readonly (LoggedChange & { readonly id: string })[];
  /** Empty at the end. */
  readonly nextPageToken: string;
}

export interface WatchQuery {
  /** Token to resume from; "" begins anew. */
  readonly resumeToken: string;
  /** Whether a new stream begins with the existing users. */
  readonly includeExisting: boolean;
  readonly filter: string;
}

/** Use cases that concern changes of users: following them, and reading those of one user. */
export class UserChanges {
  readonly #repository: UserRepository;
  readonly #feed: ChangeFeed;
  #pageTokens: PageTokens | undefined;
  #resumeTokens: ResumeTokens | undefined;

  constructor({ repository, ...options }: UserChangesDependencies) {
    this.#repository = repository;
    this.#feed = new ChangeFeed({ changes: repository.changes, ...options });
  }

  /** Place up to which watchers have been sent the changes; undefined without watchers. */
  get place(): ChangePlace | undefined {
    return this.#feed.place;
  }

  /**
   * Returns a page of a user's changes. It is empty if none of them are kept.
   *
   * @throws InvalidArgumentError for a page token of another user, or one that this server did not issue.
   */
  async history({ userId, pageSize, pageToken }: HistoryQuery): Promise<HistoryPage> {
    this.#pageTokens ??= new PageTokens(await this.#repository.pageTokenKey());
    const query = JSON.stringify(["history", userId]);
    const before = pageToken === "" ? undefined : this.#pageTokens.decode(pageToken, query).id;
    const size = sizeOf(pageSize);
    const { epoch, changes } = await this.#repository.changes.history({ userId, before, limit: size + 1 });
    const page = changes.slice(0, size).map((change) => ({ ...change, id: changeIdOf(epoch, change.place) }));
    const last = page.at(-1);
    const hasMore = last && changes.length > size;
    return {
      changes: page,
      nextPageToken: hasMore ? this.#pageTokens.encode({ value: 0, id: last.place }, query) : "",
    };
  }

  /**
   * Returns a stream of events, which {@link UserWatcher} describes.
   *
   * @throws InvalidArgumentError for a filter of too many words.
   */
  watch({ filter, ...request }: WatchQuery): UserWatcher {
    return new UserWatcher(
      { repository: this.#repository, feed: this.#feed, tokens: () => this.#tokens() },
      { ...request, words: filterWords(filter) },
    );
  }

  /** Ends all watchers. */
  close(): void {
    this.#feed.close();
  }

  async #tokens(): Promise<ResumeTokens> {
    this.#resumeTokens ??= new ResumeTokens(await this.#repository.pageTokenKey());
    return this.#resumeTokens;
  }
}
