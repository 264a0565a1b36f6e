#include "live/session.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "live/command.hpp"
#include "live/facts.hpp"
#include "live/followers.hpp"
#include "live/kernel_side.hpp"
#include "live/own_priority.hpp"
#include "live/process_table.hpp"
#include "live/run_time_meter.hpp"
#include "timesink/abi/events.h"

namespace timesink::live {

namespace {

constexpr std::uint64_t kSampleInterval = 1'000'000'000;
constexpr std::size_t kBatchBytes = std::size_t{256} << 10;
constexpr std::uint32_t kHeadMost = 16384;  // TS_HEAD_MAX and TS_TAIL_MAX of bpf/payload.h
constexpr std::uint32_t kTailMost = 256;

struct Target {
    std::uint32_t local_pid = 0;  ///< in timesink's pid namespace; 0: not visible there, or not known yet
    std::uint32_t parent = 0;
    std::vector<std::uint32_t> threads;  ///< at the attach
    bool alive = true;
    bool told = false;  ///< its `process` fact was written
};

/// It has a fixed inode number: PROC_PID_INIT_INO in the kernel's include/linux/proc_ns.h.
bool in_initial_pid_namespace() {
    constexpr ino_t kInitial = 0xEFFFFFFC;
    struct stat space {};
    return stat("/proc/self/ns/pid", &space) == 0 && space.st_ino == kInitial;
}

}  // namespace

struct Session::State {
    SessionOptions options;
    Sink sink;
    std::unique_ptr<KernelSide> kernel;
    std::optional<Followers> followers;  ///< uses the kernel side: goes before it
    std::optional<Command> command;
    bool released = false;                            ///< the command runs
    std::map<std::uint32_t, std::uint64_t> began_at;  ///< ticks since boot, of processes that were selected by their pid
    std::map<std::uint32_t, Target> targets;          ///< by pid of the initial namespace
    bool initial_namespace = false;
    std::optional<RunTimeMeter> meter;
    Duration meter_waits{};  ///< of the attach before
    OwnUse use_at_open;      ///< or when the attach before this one was over
    OwnUse use_at_close;
    std::vector<std::byte> batch;
    std::uint32_t sequence = 0;
    std::uint64_t next_sample_ns = 0;
    std::uint64_t last_watermark_ns = 0;
    SessionTotals totals;
    bool closed = false;
    std::optional<OwnPriority> priority;  ///< uses the kernel side: goes before it

    void append(std::span<const std::byte> record);
    void flush();
    void write_fact(Json body);
    void take_from_kernel(std::span<const std::byte> record);
    void note_task(const ts_task& task);
    Result<KernelSide::Marked> mark();
    Status mark_all();
    Status list(KernelSide::Listing what);
    void tell_processes();
    void tell_ongoing_losses(std::uint64_t now);
    void sample(std::uint64_t now);
    Status attach(const std::vector<SelectedProcess>& selected);
    void write_first_facts(const std::vector<SelectedProcess>& selected);
    Status drain();
    void write_last_facts();
    Status begin(const std::vector<SelectedProcess>& selected);
    Result<std::vector<SelectedProcess>> select_again();
    void call_off();
};

void Session::State::append(std::span<const std::byte> record) {
    batch.insert(batch.end(), record.begin(), record.end());
    totals.records++;
    totals.bytes += record.size();
    if (batch.size() >= kBatchBytes) {
        flush();
    }
}

void Session::State::flush() {
    if (!batch.empty()) {
        sink(batch);
        batch.clear();
    }
}

void Session::State::write_fact(Json body) {
    append(fact_record(std::move(body), monotonic_now(), sequence++));
}

void Session::State::take_from_kernel(std::span<const std::byte> record) {
    ts_event_head head{};
    std::memcpy(&head, record.data(), sizeof(head));
    if (head.kind == TS_EVENT_TASK && record.size() >= sizeof(ts_task)) {
        ts_task task{};
        std::memcpy(&task, record.data(), sizeof(task));
        note_task(task);
    } else if (head.kind == TS_EVENT_LOSS && record.size() >= sizeof(ts_loss)) {
        ts_loss loss{};
        std::memcpy(&loss, record.data(), sizeof(loss));
        totals.lost += loss.count;
    }
    append(record);
}

/// Only notes: /proc is read after the drain, not while the rings wait.
void Session::State::note_task(const ts_task& task) {
    const bool leader = task.head.tid == task.pid;
    if (task.operation == TS_TASK_FORK) {
        if (leader) {
            targets[task.pid] = Target{.local_pid = initial_namespace ? task.pid : 0, .parent = task.parent_pid, .threads = {}};
        }
        return;
    }
    const auto found = targets.find(task.pid);
    if (found == targets.end()) {
        return;
    }
    if (task.operation == TS_TASK_EXEC) {
        found->second.told = false;
        found->second.threads = {task.pid};
        followers->ended(task.pid);
    } else if (task.operation == TS_TASK_EXIT && leader) {
        found->second.alive = false;
        followers->ended(task.pid);
    }
}

/// Marks what is unmarked and takes over where each process is to be found.
Result<KernelSide::Marked> Session::State::mark() {
    auto marked = kernel->mark_threads();
    if (!marked) {
        return marked;
    }
    for (const auto& thread : marked->threads) {
        auto& target = targets[thread.pid];
        target.local_pid = thread.local_pid;
        target.parent = thread.parent;
        if (std::find(target.threads.begin(), target.threads.end(), thread.tid) == target.threads.end()) {
            target.threads.push_back(thread.tid);
        }
    }
    return marked;
}

/// What a thread forks before it is marked is met by the same pass or the next; what it forks afterwards, the fork probe marks.
Status Session::State::mark_all() {
    constexpr int kPassesMost = 100;
    for (int pass = 0; pass < kPassesMost; pass++) {
        auto marked = mark();
        if (!marked) {
            return marked.error();
        }
        if (marked->fresh == 0) {
            if (targets.empty()) {
                return Error{"the selected processes have ended", ESRCH};
            }
            return Done{};
        }
    }
    return Error{"the targets start threads faster than these can be listed", EAGAIN};
}

Status Session::State::list(KernelSide::Listing what) {
    auto records = kernel->list_sockets(what);
    if (!records) {
        return Done{};  // said by its `probe` fact: timesink goes on without
    }
    for (std::size_t at = 0; at + sizeof(ts_socket) <= records->size(); at += sizeof(ts_socket)) {
        ts_socket socket{};
        std::memcpy(&socket, records->data() + at, sizeof(socket));
        socket.head.sequence = sequence++;
        append(std::as_bytes(std::span(&socket, 1)));
    }
    return Done{};
}

void Session::State::tell_processes() {
    const bool unknown = std::any_of(targets.begin(), targets.end(), [](const auto& entry) {
        return entry.second.alive && !entry.second.told && entry.second.local_pid == 0;
    });
    if (unknown && !initial_namespace) {
        auto ignored = mark();  // the iterator knows the ids of both namespaces
        (void)ignored;
    }
    for (auto& [pid, target] : targets) {
        if (target.told || !target.alive) {
            continue;
        }
        target.told = true;
        totals.processes++;
        if (auto fact = process_fact(pid, target.local_pid, target.parent, target.threads)) {
            const std::string runtime = fact->value("runtime", "");
            if (target.local_pid != 0) {
                followers->started(pid, target.local_pid, runtime);
            }
            write_fact(std::move(*fact));
        }
    }
}

/// The kernel side tells a loss with the next record that fits; on a CPU that falls idle that may be long after units that it
/// touched were reported. So what is pending is told at once, its number left to the kernel's own record (count 0).
void Session::State::tell_ongoing_losses(std::uint64_t now) {
    for (const ts_cpu& cpu : kernel->counters()) {
        if (cpu.pending == 0) {
            continue;
        }
        ts_loss loss{};
        loss.head.kind = TS_EVENT_LOSS;
        loss.head.size = sizeof(loss);
        loss.head.cpu = TS_CPU_USERSPACE;
        loss.head.sequence = sequence++;
        loss.head.time = std::max(cpu.first, last_watermark_ns);
        loss.first = std::min(cpu.first, now);
        loss.last = std::max(cpu.last, now);
        append(std::as_bytes(std::span(&loss, 1)));
    }
}

void Session::State::sample(std::uint64_t now) {
    if (now < next_sample_ns) {
        return;
    }
    next_sample_ns = now + kSampleInterval;
    write_fact(host_sample_fact());
    for (auto& [pid, target] : targets) {
        if (!target.alive || target.local_pid == 0) {
            continue;
        }
        if (auto fact = sample_fact(pid, target.local_pid)) {
            write_fact(std::move(*fact));
        } else {
            target.alive = false;  // its exit was lost
            followers->ended(pid);
        }
    }
    std::erase_if(targets, [](const auto& entry) { return !entry.second.alive && entry.second.told; });
}

void Session::State::write_first_facts(const std::vector<SelectedProcess>& selected) {
    write_fact(host_fact());
    write_fact({{"fact", "timesink"},
                {"version", TIMESINK_VERSION},
                {"abi", {TS_ABI_MAJOR, TS_ABI_MINOR}},
                {"ring_bytes", options.ring_bytes},
                {"head_bytes", options.head_bytes},
                {"tail_bytes", options.tail_bytes},
                {"arguments", options.arguments}});
    std::vector<std::pair<std::string, std::string>> told;
    for (const auto& process : selected) {
        if (const auto pair = std::make_pair(process.by, process.value);
            std::find(told.begin(), told.end(), pair) == told.end()) {
            told.push_back(pair);
            write_fact({{"fact", "target"}, {"by", process.by}, {"value", process.value}});
        }
    }
}

Status Session::State::attach(const std::vector<SelectedProcess>& selected) {
    for (const auto& process : selected) {
        if (auto status = kernel->select(process.pid); !status) {
            return status;
        }
    }
    if (auto status = kernel->watch_tasks(); !status) {
        return status;
    }
    if (auto status = mark_all(); !status) {
        return status;
    }
    tell_processes();
    followers->look(monotonic_now());
    if (auto status = kernel->watch_sockets(); !status) {
        return status;
    }
    if (auto status = list(KernelSide::Listing::listeners); !status) {
        return status;
    }
    if (auto status = kernel->watch_calls(); !status) {
        return status;
    }
    if (auto status = list(KernelSide::Listing::connections); !status) {
        return status;
    }
    for (const auto& probe : kernel->probes()) {
        Json fact{{"fact", "probe"}, {"name", probe.name}, {"type", probe.type}, {"attached", probe.attached}};
        if (!probe.attached) {
            fact["error"] = probe.error;
            fact["costs"] = probe.costs;
        }
        write_fact(std::move(fact));
    }
    write_fact({{"fact", "attached"}});
    return Done{};
}

Status Session::State::drain() {
    const std::uint64_t now = monotonic_now();
    if (auto status = kernel->drain(now, [this](std::span<const std::byte> record) { take_from_kernel(record); }); !status) {
        return status;
    }
    tell_ongoing_losses(now);
    tell_processes();
    followers->look(now);
    sample(now);
    if (command) {
        command->poll();
    }
    ts_watermark watermark{};
    watermark.head.kind = TS_EVENT_WATERMARK;
    watermark.head.size = sizeof(watermark);
    watermark.head.cpu = TS_CPU_USERSPACE;
    watermark.head.sequence = sequence++;
    watermark.head.time = last_watermark_ns = now;
    append(std::as_bytes(std::span(&watermark, 1)));
    flush();
    return Done{};
}

void Session::State::write_last_facts() {
    const auto counters = kernel->counters();
    totals.lost = 0;
    for (std::size_t cpu = 0; cpu < counters.size(); cpu++) {
        totals.lost += counters[cpu].lost;
        if (counters[cpu].sequence != 0) {
            write_fact({{"fact", "drops"}, {"cpu", cpu}, {"count", counters[cpu].lost}});
        }
    }
    const OwnUse use = use_at_close = own_use();
    Json fact{{"fact", "own_cost"},
              {"cpu_ns", use.cpu_ns - use_at_open.cpu_ns},
              {"rss_bytes", use.rss_bytes},
              {"events", totals.records},
              {"bytes", totals.bytes}};
    if (meter->measured_ns() != 0) {
        fact["bpf_measured_ns"] = meter->measured_ns();
        fact["bpf"] = Json::array();
        for (const auto& program : meter->totals()) {
            fact["bpf"].push_back({{"program", program.program}, {"runs", program.runs}, {"ns", program.ns}});
        }
    }
    if (const auto missed = kernel->threads_missed(); missed != 0) {
        fact["threads_missed"] = missed;
    }
    if (const auto left_out = meter->left_out(*kernel); left_out != 0) {
        fact["probe_runs_missed"] = left_out;
    }
    write_fact(std::move(fact));
    write_fact({{"fact", "detached"}});
}

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}
Session::~Session() = default;

/// From the selection to the first record.
Status Session::State::begin(const std::vector<SelectedProcess>& selected) {
    followers.emplace(*kernel, [this](Json fact) { write_fact(std::move(fact)); });
    initial_namespace = in_initial_pid_namespace();
    write_first_facts(selected);
    if (auto status = attach(selected); !status) {
        return status;
    }
    if (command && !released) {
        if (auto status = command->release(); !status) {
            return status;
        }
        released = true;
    }
    meter.emplace(meter_waits);
    meter->tick(*kernel, monotonic_now());
    flush();
    priority.emplace([side = kernel.get(), over = options.ends] { return over && over() ? OwnPriority::kUrgent : side->fill(); });
    return Done{};
}

Result<std::unique_ptr<Session>> Session::open(const SessionOptions& options, Sink sink) {
    auto state = std::make_unique<State>();
    state->options = options;
    state->options.head_bytes = std::min(options.head_bytes, kHeadMost);
    state->options.tail_bytes = std::min(options.tail_bytes, kTailMost);
    state->sink = std::move(sink);
    state->use_at_open = own_use();
    auto selected = select_processes(options.selection);
    if (!selected) {
        return selected.error();
    }
    for (const auto pid : options.selection.pids) {
        if (const auto stat = read_process_stat(pid)) {
            state->began_at[pid] = stat->start_ticks;
        }
    }
    auto kernel = KernelSide::load({state->options.ring_bytes, state->options.head_bytes, state->options.tail_bytes,
                                    options.raw_tracepoints, options.leave_out});
    if (!kernel) {
        return kernel.error();
    }
    state->kernel = std::move(*kernel);
    if (!options.selection.command.empty()) {
        auto command = Command::prepare(options.selection.command);
        if (!command) {
            return command.error();
        }
        state->command.emplace(std::move(*command));
        selected->push_back({state->command->pid(), "command", options.selection.command.front()});
    }
    if (auto status = state->begin(*selected); !status) {
        return status.error();
    }
    return std::unique_ptr<Session>(new Session(std::move(state)));
}

/// Its targets ended while it attached: as if it had not.
void Session::State::call_off() {
    kernel->detach();
    batch.clear();
    use_at_close = use_at_open;
    closed = true;
}

/// What the selection names now. Of processes that were named by their pid only those that are still the same.
Result<std::vector<SelectedProcess>> Session::State::select_again() {
    Selection again = options.selection;
    std::erase_if(again.pids, [this](std::uint32_t pid) {
        const auto stat = read_process_stat(pid);
        const auto known = began_at.find(pid);
        return !stat || stat->state == 'Z' || known == began_at.end() || known->second != stat->start_ticks;
    });
    const bool command_runs = command && !command->poll();
    if (!command_runs) {
        again.command.clear();
    }
    const bool names_nothing =
        again.pids.empty() && again.ports.empty() && again.comms.empty() && again.cgroups.empty() && !command_runs;
    if (names_nothing) {
        return Error{"every target has exited", ECHILD};
    }
    auto selected = select_processes(again);
    if (selected && command_runs) {
        selected->push_back({command->pid(), "command", again.command.front()});
    }
    return selected;
}

Result<std::unique_ptr<Session>> Session::reopen(std::unique_ptr<Session>& closed) {
    State& before = *closed->state_;
    auto selected = before.select_again();
    if (!selected) {
        return selected.error();
    }
    auto state = std::make_unique<State>();
    state->options = std::move(before.options);
    state->sink = std::move(before.sink);
    state->use_at_open = before.use_at_close;
    state->began_at = std::move(before.began_at);
    state->command = std::move(before.command);
    state->released = before.released;
    state->meter_waits = before.meter_waits;
    before.followers.reset();
    state->kernel = std::move(before.kernel);
    closed.reset();
    if (auto status = state->kernel->restart(); !status) {
        return status.error();
    }
    const auto status = state->begin(*selected);
    if (!status && status.error().errno_value != ESRCH) {
        return status.error();
    }
    std::unique_ptr<Session> session(new Session(std::move(state)));
    if (!status) {
        session->state_->call_off();
        closed = std::move(session);
        return status.error();
    }
    return session;
}

Status Session::drain() {
    if (state_->closed) {
        return Done{};
    }
    state_->meter->tick(*state_->kernel, monotonic_now());
    return state_->drain();
}

Status Session::close() {
    if (state_->closed) {
        return Done{};
    }
    state_->priority.reset();
    const std::uint64_t now = monotonic_now();
    state_->meter->finish(*state_->kernel, now);
    state_->meter_waits = state_->meter->waits(now);
    state_->kernel->detach();
    auto status = state_->drain();
    state_->closed = true;
    if (!status) {
        return status;
    }
    state_->write_last_facts();
    state_->flush();
    return Done{};
}

Duration Session::drain_interval() const {
    return state_->options.drain_interval;
}

std::size_t Session::targets_alive() const {
    return static_cast<std::size_t>(
        std::count_if(state_->targets.begin(), state_->targets.end(), [](const auto& entry) { return entry.second.alive; }));
}

std::optional<int> Session::command_status() const {
    return state_->command ? state_->command->poll() : std::nullopt;
}

std::uint32_t Session::command_pid() const {
    return state_->command ? state_->command->pid() : 0;
}

const std::vector<Probe>& Session::probes() const {
    return state_->kernel->probes();
}

SessionTotals Session::totals() const {
    return state_->totals;
}

}  // namespace timesink::live
