"""The processes that `run` times, each behind `about`, `round` and `close`."""

import json
import signal
import subprocess
import tempfile
import threading
import time

BATCH = 128


class Skip(Exception):
    """Why there is no row, and the other names that the reason holds for."""

    def __init__(self, reason, also=""):
        super().__init__(reason)
        self.also = also.split(",")


def last_words(text, code):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # A panic ends in advice.
    lines = [line for line in lines if not line.startswith("note:")]
    return lines[-1][:300] if lines else f"it ended with code {code}"


class Peer:
    """A process that stays alive and answers lines, so that it warms up once.

    It is stopped between its turns: some poll their device even when they have nothing to do.
    """

    def __init__(self, name, command, patience):
        self.name = name
        self.patience = patience
        self.errors = tempfile.TemporaryFile("w+", errors="replace")
        pipe = subprocess.PIPE
        try:
            self.process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=self.errors, text=True
            )
        except OSError as error:
            raise Skip(str(error)) from error
        self.about = self.answer()
        if "skip" in self.about:
            self.close()
            raise Skip(self.about["skip"], self.about["also"])
        self.process.send_signal(signal.SIGSTOP)

    def answer(self):
        late = threading.Event()
        timer = threading.Timer(self.patience, lambda: (late.set(), self.process.kill()))
        timer.start()
        try:
            # Libraries may print lines of their own.
            for line in self.process.stdout:
                if line.startswith("{"):
                    return json.loads(line)
        finally:
            timer.cancel()
        self.close()
        if late.is_set():
            raise Skip(f"gave no answer within {self.patience} s")
        self.errors.seek(0)
        raise Skip(last_words(self.errors.read(), self.process.returncode))

    def train(self, epochs):
        try:
            self.process.stdin.write(f"{epochs}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # It has died; `answer` says of what.
        answer = self.answer()
        # JSON has no NaN; some write null.
        losses = [float("nan") if loss is None else loss for loss in answer["losses"]]
        return list(zip(answer["seconds"], losses))

    def round(self, epochs):
        """An epoch that nobody times, then the seconds and losses of `epochs`."""
        self.process.send_signal(signal.SIGCONT)
        self.train(1)
        result = self.train(epochs)
        self.process.send_signal(signal.SIGSTOP)
        return result

    def close(self):
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Ours:
    """The program, which is started in every round and resumes its run."""

    name = "ours"

    def __init__(self, binary, model, data, adapter, patience):
        if not binary.exists():
            raise Skip(f"no {binary}; build it with `cargo build --release`, or use --binary")
        self.binary = binary
        self.patience = patience
        self.run = data / "run"
        self.adapter = ["--adapter", adapter] if adapter else []
        self.new = ["--data", data, "--preset", model, "--batch-size", BATCH, "--lr", "1e-3"]
        self.new += ["--seed", 1, "--out", self.run, "--overwrite"]
        self.epochs = 0
        begun = time.perf_counter()
        said = self.call("train", *self.new, "--max-steps", 1, *self.adapter)
        seconds = time.perf_counter() - begun
        adapter = next(line for line in said.splitlines() if line.startswith("adapter"))
        self.about = {
            "device": "wgpu",
            "hardware": adapter.removeprefix("adapter").rpartition(" (")[0].strip(),
            "version": self.call("--version").strip(),
            "warm_up": seconds,
            "warm_up_of": "a whole run of one step",
        }

    def call(self, *arguments):
        command = [str(argument) for argument in (self.binary, *arguments)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=self.patience
            )
        except subprocess.TimeoutExpired:
            raise Skip(f"gave no answer within {self.patience} s") from None
        if done.returncode:
            raise Skip(last_words(done.stderr, done.returncode))
        return done.stdout

    def round(self, epochs):
        start = ["--resume", self.run] if self.epochs else self.new
        self.epochs += 1 + epochs
        self.call("train", *start, "--epochs", self.epochs, *self.adapter)
        rows = (self.run / "metrics.jsonl").read_text().splitlines()[-epochs:]
        return [(row["seconds"], row["train_loss"]) for row in map(json.loads, rows)]

    def close(self):
        pass
