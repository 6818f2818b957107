import { describe, expect, test } from "vitest";
import { Admission, type Arrival, admissionLimits } from "./admission.ts";

class TestCall implements Arrival {
  readonly connection: object;
  readonly isStream: boolean;
  outcome: string | undefined;
  state: ReturnType<Arrival["progress"]> = "working";
  deadlineMs: number | undefined;
  isGone = () => false;

  constructor(connection: object, isStream = false) {
    this.connection = connection;
    this.isStream = isStream;
  }

  timeoutMs = () => this.deadlineMs;
  isAnswered = () => this.state === "answered";
  progress = () => this.state;
  start(): void {
    this.outcome = "started";
  }
  refuse(reason: string): void {
    this.outcome = reason;
  }
  evict(): void {
    this.outcome = "evicted";
  }
}

/** Creates an admission with its own clock, in milliseconds. */
function createAdmission(maxCalls: number, limits = {}, isHeavy: (connection: object) => boolean = () => false) {
  const clock = { nowMs: 0 };
  const admission = new Admission(admissionLimits(maxCalls, limits), () => clock.nowMs, isHeavy);
  const enter = (connection: object = {}, isStream = false) => {
    const call = new TestCall(connection, isStream);
    admission.enter(call);
    return call;
  };
  return { admission, clock, enter };
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe("places", () => {
  test("of waiting calls are taken from a heavy connection for a light one", async () => {
    const crowd = Array.from({ length: 8 }, () => ({}));
    const attack = async (isHeavy: (connection: object) => boolean) => {
      const { enter } = createAdmission(32, { window: 8 }, isHeavy);
      const calls = Array.from({ length: 32 }, (_, index) => enter(crowd[index % 8]));
      const bystander = enter();
      await nextTurn();
      const outcomes = calls.map(({ outcome }) => outcome);
      return [bystander.outcome, outcomes.filter((outcome) => outcome === "overloaded").length];
    };
    // The light connection's call goes first, and one of the waiting calls is refused in its favor.
    expect(await attack((connection) => crowd.includes(connection))).toEqual(["started", 1]);
    expect(await attack(() => false)).toEqual(["overloaded", 0]);
  });

  test("in the window are freed by calls whose answers wait for their readers", async () => {
    const { enter } = createAdmission(64, { window: 8, maxTurnMs: 0 });
    const calls = Array.from({ length: 12 }, () => enter());
    await nextTurn();
    expect(calls.filter(({ outcome }) => outcome === "started")).toHaveLength(8);
    for (const call of calls.slice(0, 4)) call.state = "answered";
    await nextTurn();
    await nextTurn();
    expect(calls.filter(({ outcome }) => outcome === "started")).toHaveLength(12);
  });

  test("are given until none is left, and again when one is free", () => {
    const { admission, enter } = createAdmission(2);
    const first = enter();
    expect([first, enter(), enter()].map(({ outcome }) => outcome)).toEqual(["started", "started", "overloaded"]);
    admission.leave(first);
    admission.leave(first);
    expect([enter(), enter()].map(({ outcome }) => outcome)).toEqual(["started", "overloaded"]);
    expect(admission.calls).toBe(2);
  });

  test("of one connection are a quarter of all", () => {
    const { enter } = createAdmission(8);
    const connection = {};
    expect([1, 2, 3].map(() => enter(connection).outcome)).toEqual(["started", "started", "overloaded"]);
    expect(enter().outcome).toBe("started");
  });

  test("for streams are separate", () => {
    const { admission, enter } = createAdmission(1);
    expect(enter().outcome).toBe("started");
    for (let i = 0; i < 16; i++) expect(enter({}, true).outcome).toBe("started");
    expect(enter({}, true).outcome).toBe("overloaded");
    expect(admission.streams).toBe(16);
  });

  test("are taken from calls whose answer waits for its reader, or whose request does not arrive", () => {
    const { clock, enter } = createAdmission(3, { patienceMs: 100 });
    const [answered, receiving, working] = [enter(), enter(), enter()];
    answered.state = "answered";
    receiving.state = "receiving";
    expect([enter(), enter()].map(({ outcome }) => outcome)).toEqual(["started", "overloaded"]);
    clock.nowMs = 200;
    expect(enter().outcome).toBe("started");
    expect([answered, receiving, working].map(({ outcome }) => outcome)).toEqual(["started", "evicted", "started"]);
  });
});

describe("a line", () => {
  /** Creates an admission whose window is full, so that the next call waits. */
  function createFull() {
    const { admission, clock, enter } = createAdmission(1_000);
    const started: TestCall[] = [];
    for (let call = enter(); call.outcome; call = enter()) started.push(call);
    return { admission, clock, enter, started };
  }
  /** Runs turns of the event loop that are too long for the window to grow. */
  async function slowTurns(clock: { nowMs: number }, count: number) {
    for (let i = 0; i < count; i++) {
      clock.nowMs += 15;
      await nextTurn();
    }
  }

  test("lets connections take turns, however many calls one sends", async () => {
    const { admission, clock, enter, started } = createFull();
    const greedy = {};
    const many = Array.from({ length: 20 }, () => enter(greedy));
    const other = enter();
    for (const call of started.slice(0, 3)) admission.leave(call);
    await slowTurns(clock, 1);
    expect(other.outcome).toBe("started");
    expect(many.filter(({ outcome }) => outcome).length).toBeLessThan(3);
  });

  test("does not start calls past their deadline, or that nobody waits for", async () => {
    const { admission, clock, enter, started } = createFull();
    const [late, gone, well] = [enter(), enter(), enter()];
    late.deadlineMs = 10;
    gone.isGone = () => true;
    for (const call of started) admission.leave(call);
    await slowTurns(clock, 1);
    expect([late, gone, well].map(({ outcome }) => outcome)).toEqual(["expired", undefined, "started"]);
  });

  test("lets a burst wait for a second", async () => {
    const { admission, clock, enter, started } = createFull();
    const burst = enter();
    clock.nowMs += 900;
    for (const call of started) admission.leave(call);
    await nextTurn();
    expect(burst.outcome).toBe("started");
  });

  test("limits waits to a tenth of a second after standing for a second", async () => {
    const { admission, clock, enter, started } = createFull();
    const early = enter();
    await slowTurns(clock, 70);
    const late = enter();
    clock.nowMs += 50;
    for (const call of started) admission.leave(call);
    await nextTurn();
    expect([early, late].map(({ outcome }) => outcome)).toEqual(["overloaded", "started"]);
  });

  test("refuses calls at once under overload, but not those of a connection that has sent few", async () => {
    const { clock, enter } = createFull();
    const greedy = {};
    for (let i = 0; i < 20; i++) enter(greedy);
    expect(enter(greedy).outcome).toBe(undefined);
    await slowTurns(clock, 70);
    expect(enter(greedy).outcome).toBe("overloaded");
    expect(enter().outcome).toBe(undefined);
  });

  test("grows its window while calls wait for something outside this process", async () => {
    const { enter } = createFull();
    const waiting = Array.from({ length: 100 }, () => enter());
    for (let i = 0; i < 50 && waiting.some(({ outcome }) => !outcome); i++) await nextTurn();
    expect(waiting.every(({ outcome }) => outcome === "started")).toBe(true);
  });
});
