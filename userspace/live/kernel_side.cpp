#include "live/kernel_side.hpp"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include "live/kernel_errors.hpp"
#include "live/map_contents.hpp"
#include "live/probe_table.hpp"
#include "live/ring_gauge.hpp"
#include "timesink.skel.h"

namespace timesink::live {

namespace {

struct SkeletonCloser {
    void operator()(timesink_bpf* skeleton) const { timesink_bpf__destroy(skeleton); }
};
struct RingCloser {
    void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};
struct BtfCloser {
    void operator()(btf* types) const { btf__free(types); }
};
using Skeleton = std::unique_ptr<timesink_bpf, SkeletonCloser>;
using Ring = std::unique_ptr<ring_buffer, RingCloser>;
using Btf = std::unique_ptr<btf, BtfCloser>;

/// Programs to those who ask for them, but one and the same to the kernel.
struct PlaintextPlace {
    std::string_view name;
    ts_plaintext_place place;
    bool at_return;
};
constexpr std::array kPlaintextPlaces{
    PlaintextPlace{"on_tls_write", TS_PLAINTEXT_WRITE, false},
    PlaintextPlace{"on_tls_write_ex", TS_PLAINTEXT_WRITE_EX, false},
    PlaintextPlace{"on_tls_read_done", TS_PLAINTEXT_READ_DONE, true},
    PlaintextPlace{"on_go_tls_copied", TS_PLAINTEXT_GO_COPIED, false},
    PlaintextPlace{"on_go_tls_reader", TS_PLAINTEXT_GO_READER, false},
    PlaintextPlace{"on_go_tls_encrypted", TS_PLAINTEXT_GO_ENCRYPTED, false},
};

/// What libbpf says is for the log: the reason of a failure comes back as errno.
int log_libbpf(libbpf_print_level level, const char* format, va_list arguments) {
    if (level == LIBBPF_DEBUG && !spdlog::should_log(spdlog::level::trace)) {
        return 0;
    }
    std::array<char, 4096> text{};
    const int length = std::vsnprintf(text.data(), text.size(), format, arguments);
    std::string_view line(text.data(), std::min<std::size_t>(static_cast<std::size_t>(std::max(length, 0)), text.size() - 1));
    while (line.ends_with('\n')) {
        line.remove_suffix(1);
    }
    spdlog::debug("{}", line);
    return length;
}

/// Arguments of a tracepoint as its BTF gives them, without the leading context; -1: there is no such tracepoint.
int tracepoint_arguments(const btf* types, const std::string& name) {
    const auto id = btf__find_by_name_kind(types, ("btf_trace_" + name).c_str(), BTF_KIND_TYPEDEF);
    if (id < 0) {
        return -1;
    }
    const btf_type* type = btf__type_by_id(types, static_cast<std::uint32_t>(id));
    type = btf__type_by_id(types, type->type);  // pointer
    type = btf__type_by_id(types, type->type);  // function
    return static_cast<int>(btf_vlen(type)) - 1;
}

/// Whether programs at functions can be attached by links that count for all threads of a process. They do from Linux 6.10 on
/// (commit 46ba0e49b642), which nothing in the kernel's types tells; what came with 6.13 does.
bool has_probe_links(const btf* types) {
    const auto id = btf__find_by_name_kind(types, "bpf_attach_type", BTF_KIND_ENUM);
    if (id < 0) {
        return false;
    }
    const btf_type* type = btf__type_by_id(types, static_cast<std::uint32_t>(id));
    const std::span all(btf_enum(type), btf_vlen(type));
    return std::any_of(all.begin(), all.end(), [&](const auto& each) {
        return std::string_view(btf__name_by_offset(types, each.name_off)) == "BPF_TRACE_UPROBE_SESSION";
    });
}

}  // namespace

struct KernelSide::State {
    Limits limits{};
    bool raw = false;
    std::uint32_t cpu_count = 0;
    Skeleton skeleton;
    std::vector<Link> links;
    FunctionProbes functions;
    std::vector<std::uint32_t> ring_cpus;
    std::vector<Ring> rings;
    std::vector<RingGauge> gauges;
    std::vector<Probe> probes;
    const RecordSink* sink = nullptr;
    std::uint64_t stop_after_ns = 0;

    int prepare(const btf* types);
    int make_rings();
    Status attach_stage(Stage stage);
    Probe attach_probe(const ProbeRow& row, Stage stage);
    Result<std::vector<std::byte>> read_iterator(bpf_program* program);
    Status unmark_threads();
    static int take(void* context, void* data, std::size_t size);
};

/// Chooses programs, sets constants and map sizes: all that must be done between open and load.
int KernelSide::State::prepare(const btf* types) {
    skeleton.reset(timesink_bpf__open());
    if (!skeleton) {
        return errno;
    }
    const bool probe_links = !raw && has_probe_links(types);  // a kernel without tp_btf would not have them either
    functions.attach_by(probe_links ? ProbeManner::links : ProbeManner::perf_events);
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, skeleton->obj) {
        const std::string_view section = bpf_program__section_name(program);
        const auto slash = section.find('/');
        if (section == "uprobe" || section == "uretprobe") {
            if (probe_links) {
                bpf_program__set_expected_attach_type(program, static_cast<bpf_attach_type>(kTraceUprobeMulti));
            }
            bpf_program__set_autoload(program, std::string_view(bpf_program__name(program)).ends_with("_raw") == raw);
            continue;
        }
        const bool wanted = section.starts_with("iter/") || section.starts_with(raw ? "raw_tp/" : "tp_btf/");
        const bool there =
            section.starts_with("iter/") || tracepoint_arguments(types, std::string(section.substr(slash + 1))) >= 0;
        bpf_program__set_autoload(program, wanted && there);
    }
    struct stat space {};
    if (stat("/proc/self/ns/pid", &space) != 0) {
        return errno;
    }
    auto* constants = skeleton->rodata;
    constants->ts_switch_has_state = tracepoint_arguments(types, "sched_switch") >= 4;
    constants->ts_head_bytes = limits.head_bytes;
    constants->ts_tail_bytes = limits.tail_bytes;
    constants->ts_threads_by_id = raw;
    constants->ts_pid_namespace = static_cast<std::uint32_t>(space.st_ino);
    bpf_map__set_max_entries(skeleton->maps.rings, cpu_count);
    bpf_map__set_max_entries(skeleton->maps.scratches, cpu_count);
    bpf_map__set_max_entries(skeleton->maps.probe_scratches, 2 * cpu_count);  // TS_PROBE_SCRATCHES
    if (!raw) {
        bpf_map__set_max_entries(skeleton->maps.threads_by_tid, 1);
    }
    return 0;
}

/// A ring of full size for each CPU that is online, the smallest for those that might come: a machine may have far more of these.
int KernelSide::State::make_rings() {
    const std::string online = "/sys/devices/system/cpu/cpu";
    for (std::uint32_t cpu = 0; cpu < cpu_count; cpu++) {
        const std::string state = online + std::to_string(cpu) + "/online";
        char byte = '1';  // CPU 0 often has no such file
        if (FILE* file = std::fopen(state.c_str(), "re")) {
            if (std::fread(&byte, 1, 1, file) != 1) {
                byte = '1';
            }
            std::fclose(file);
        } else if (access((online + std::to_string(cpu)).c_str(), F_OK) != 0) {
            byte = '0';
        }
        const auto bytes = byte == '1' ? limits.ring_bytes : std::size_t{65536};
        const int map = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "timesink_ring", 0, 0, static_cast<std::uint32_t>(bytes), nullptr);
        if (map < 0) {
            return errno;
        }
        Ring ring(ring_buffer__new(map, &State::take, this, nullptr));
        const int error = ring ? 0 : errno;
        const int status = ring ? bpf_map__update_elem(skeleton->maps.rings, &cpu, sizeof(cpu), &map, sizeof(map), BPF_ANY) : 0;
        if (auto gauge = RingGauge::open(map, bytes)) {
            gauges.push_back(std::move(*gauge));
        }
        close(map);
        if (error != 0 || status != 0) {
            return error != 0 ? error : -status;
        }
        rings.push_back(std::move(ring));
        ring_cpus.push_back(cpu);
    }
    return 0;
}

KernelSide::KernelSide(std::unique_ptr<State> state) : state_(std::move(state)) {}
KernelSide::~KernelSide() = default;

Result<std::unique_ptr<KernelSide>> KernelSide::load(const Limits& limits) {
    libbpf_set_print(log_libbpf);
    const Btf types(btf__load_vmlinux_btf());
    if (!types) {
        return failure("the kernel's types (BTF) cannot be read", errno);
    }
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0) {
        return failure("the number of CPUs cannot be read", -cpus);
    }
    int error = 0;
    for (const bool raw : {false, true}) {
        if (!raw && limits.raw_tracepoints) {
            continue;
        }
        auto state = std::make_unique<State>();
        state->limits = limits;
        state->limits.ring_bytes = std::bit_ceil(std::clamp(limits.ring_bytes, std::size_t{1} << 16, std::size_t{1} << 30));
        state->raw = raw;
        state->cpu_count = static_cast<std::uint32_t>(cpus);
        error = state->prepare(types.get());
        if (error == 0) {
            error = -timesink_bpf__load(state->skeleton.get());
        }
        if (error == 0) {
            error = state->make_rings();
        }
        if (error == 0) {
            return std::unique_ptr<KernelSide>(new KernelSide(std::move(state)));
        }
        spdlog::debug("{} programs: {}", raw ? "raw_tp" : "tp_btf", std::strerror(error));
        if (error == EPERM) {
            break;  // the other kind would be refused as well
        }
    }
    return failure("the kernel does not load timesink's programs", error);
}

bool KernelSide::raw_tracepoints() const {
    return state_->raw;
}

Status KernelSide::select(std::uint32_t local_pid) {
    const std::uint32_t yes = 1;
    const int status =
        bpf_map__update_elem(state_->skeleton->maps.selected_pids, &local_pid, sizeof(local_pid), &yes, sizeof(yes), BPF_ANY);
    return status == 0 ? Status(Done{}) : Status(failure("process " + std::to_string(local_pid), -status));
}

Probe KernelSide::State::attach_probe(const ProbeRow& row, Stage stage) {
    Probe probe{.name = row.name, .type = raw ? "raw_tp" : "tp_btf", .attached = false, .error = {}, .costs = {}};
    const std::string name = std::string("on_") + row.name + (raw ? "_raw" : "");
    bpf_program* program = bpf_object__find_program_by_name(skeleton->obj, name.c_str());
    const auto& left_out = limits.leave_out;
    if (std::find(left_out.begin(), left_out.end(), row.name) != left_out.end()) {
        probe.error = "left out on request";
    } else if (program == nullptr || bpf_program__fd(program) < 0) {
        probe.error = "this kernel has no such tracepoint";
    } else if (Link link(bpf_program__attach(program)); link) {
        links.push_back(std::move(link));
        probe.attached = true;
    } else {
        probe.error = refusal(errno);
    }
    if (!probe.attached) {
        probe.costs = row.costs;
        spdlog::debug("probe {} (stage {}): {}", row.name, static_cast<int>(stage), probe.error);
    }
    return probe;
}

/// A row with a substitute is attached only when that is missing: one kind of arrival is enough.
Status KernelSide::State::attach_stage(Stage stage) {
    for (const auto& row : kProbes) {
        if (row.stage != stage) {
            continue;
        }
        const auto preferred =
            std::find_if(probes.begin(), probes.end(), [&](const Probe& probe) { return probe.name == row.instead_of; });
        if (preferred != probes.end() && preferred->attached) {
            continue;
        }
        probes.push_back(attach_probe(row, stage));
        if (!probes.back().attached && row.indispensable) {
            return Error{"probe " + probes.back().name + " (" + probes.back().type + "): " + probes.back().error, EINVAL};
        }
    }
    return Done{};
}

Status KernelSide::watch_tasks() {
    return state_->attach_stage(Stage::tasks);
}
Status KernelSide::watch_sockets() {
    return state_->attach_stage(Stage::sockets);
}
Status KernelSide::watch_calls() {
    return state_->attach_stage(Stage::calls);
}

Result<std::vector<std::byte>> KernelSide::State::read_iterator(bpf_program* program) {
    const std::string name = bpf_program__name(program);
    const Link link(bpf_program__attach_iter(program, nullptr));
    if (!link) {
        return failure("iterator " + name, errno);
    }
    const int fd = bpf_iter_create(bpf_link__fd(link.get()));
    if (fd < 0) {
        return failure("iterator " + name, errno);
    }
    std::vector<std::byte> output;
    std::array<std::byte, 65536> chunk{};
    ssize_t got = 0;
    // EAGAIN: a million objects were skipped in one go; the kernel wants to be asked again (kernel/bpf/bpf_iter.c).
    while ((got = read(fd, chunk.data(), chunk.size())) != 0) {
        if (got > 0) {
            output.insert(output.end(), chunk.data(), chunk.data() + got);
        } else if (errno != EAGAIN && errno != EINTR) {
            const int error = errno;
            close(fd);
            return failure("iterator " + name, error);
        }
    }
    close(fd);
    return output;
}

Result<KernelSide::Marked> KernelSide::mark_threads() {
    Marked marked;
    const auto before = state_->skeleton->bss->ts_threads_marked;
    auto output = state_->read_iterator(state_->skeleton->progs.mark_threads);
    if (!output) {
        return output.error();
    }
    marked.threads.resize(output->size() / sizeof(ts_listed_thread));
    if (!marked.threads.empty()) {
        std::memcpy(marked.threads.data(), output->data(), marked.threads.size() * sizeof(ts_listed_thread));
    }
    marked.fresh = state_->skeleton->bss->ts_threads_marked - before;
    return marked;
}

Result<std::vector<std::byte>> KernelSide::list_sockets(Listing what) {
    state_->skeleton->bss->ts_listing_listeners = what == Listing::listeners ? 1 : 0;
    auto records = state_->read_iterator(state_->skeleton->progs.list_sockets);
    if (what == Listing::connections) {
        Probe probe{.name = "task_file", .type = "iter", .attached = records.ok(), .error = {}, .costs = {}};
        if (!records) {
            probe.error = records.error().what;
            probe.costs = kSocketListingCosts;
        }
        state_->probes.push_back(std::move(probe));
    }
    return records;
}

Status KernelSide::follow(std::uint32_t pid, const ts_python& python) {
    const int status =
        bpf_map__update_elem(state_->skeleton->maps.python_processes, &pid, sizeof(pid), &python, sizeof(python), BPF_ANY);
    state_->skeleton->bss->ts_python_met++;  // threads look anew at what is told of their process
    return status == 0 ? Status(Done{}) : Status(failure("process " + std::to_string(pid), -status));
}

std::uint32_t KernelSide::threads_have_contexts(std::uint32_t pid) const {
    ts_python python{};
    bpf_map__lookup_elem(state_->skeleton->maps.python_processes, &pid, sizeof(pid), &python, sizeof(python), 0);
    return python.threads_have_contexts;
}

Status KernelSide::follow(std::uint32_t pid, const ts_go& go) {
    state_->skeleton->bss->ts_go_met = 1;
    const int status = bpf_map__update_elem(state_->skeleton->maps.go_processes, &pid, sizeof(pid), &go, sizeof(go), BPF_ANY);
    return status == 0 ? Status(Done{}) : Status(failure("process " + std::to_string(pid), -status));
}

std::optional<ts_go> KernelSide::followed_go(std::uint32_t pid) const {
    ts_go go{};
    const bool found = bpf_map__lookup_elem(state_->skeleton->maps.go_processes, &pid, sizeof(pid), &go, sizeof(go), 0) == 0;
    return found ? std::optional(go) : std::nullopt;
}

Status KernelSide::follow_sqlite(std::uint32_t pid) {
    const ts_sqlite fresh{};
    const int status =
        bpf_map__update_elem(state_->skeleton->maps.sqlite_processes, &pid, sizeof(pid), &fresh, sizeof(fresh), BPF_NOEXIST);
    const bool known = status == 0 || status == -EEXIST;  // it has two copies of the library
    return known ? Status(Done{}) : Status(failure("process " + std::to_string(pid), -status));
}

Status KernelSide::watch(std::uint32_t pid, std::uint32_t local_pid, const MappedFunction& function, const std::string& program,
                         std::uint64_t cookie, ProbeGroup group) {
    const auto place = std::find_if(kPlaintextPlaces.begin(), kPlaintextPlaces.end(),
                                    [&](const PlaintextPlace& candidate) { return candidate.name == program; });
    const bool is_place = place != kPlaintextPlaces.end();
    const std::string name = (is_place ? "on_plaintext" : program) + (state_->raw ? "_raw" : "");
    const bpf_program* const found = bpf_object__find_program_by_name(state_->skeleton->obj, name.c_str());
    if (found == nullptr) {
        return failure("program " + name, ENOENT);
    }
    FunctionProbes::Handler handler{found, cookie, std::string_view(bpf_program__section_name(found)) == "uretprobe"};
    if (is_place) {
        handler.cookie |= std::uint64_t{place->place} << TS_PLAINTEXT_PLACE;
        handler.at_return = place->at_return;
    }
    return state_->functions.watch(pid, local_pid, function, handler, group);
}

std::uint64_t KernelSide::sqlite_steps(std::uint32_t pid) const {
    ts_sqlite process{};
    bpf_map__lookup_elem(state_->skeleton->maps.sqlite_processes, &pid, sizeof(pid), &process, sizeof(process), 0);
    return process.steps;
}

Status KernelSide::resume_sqlite(std::uint32_t pid) {
    const bpf_map* map = state_->skeleton->maps.sqlite_processes;
    ts_sqlite process{};
    int status = bpf_map__lookup_elem(map, &pid, sizeof(pid), &process, sizeof(process), 0);
    process.epoch++;
    status = status == 0 ? bpf_map__update_elem(map, &pid, sizeof(pid), &process, sizeof(process), BPF_EXIST) : status;
    return status == 0 ? Status(Done{}) : Status(failure("process " + std::to_string(pid), -status));
}

void KernelSide::unwatch(std::uint32_t pid, ProbeGroup group) {
    state_->functions.unwatch(pid, group);
}

void KernelSide::unfollow(std::uint32_t pid) {
    for (const ProbeGroup group : {ProbeGroup::lasting, ProbeGroup::steps, ProbeGroup::births}) {
        state_->functions.unwatch(pid, group);
    }
    bpf_map__delete_elem(state_->skeleton->maps.sqlite_processes, &pid, sizeof(pid), 0);
    bpf_map__delete_elem(state_->skeleton->maps.go_processes, &pid, sizeof(pid), 0);
    bpf_map__delete_elem(state_->skeleton->maps.python_processes, &pid, sizeof(pid), 0);
}

void KernelSide::detach() {
    state_->links.clear();
    state_->functions.unwatch_all();
}

Status KernelSide::State::unmark_threads() {
    skeleton->bss->ts_unmarking = 1;
    const auto unmarked = read_iterator(skeleton->progs.mark_threads);
    skeleton->bss->ts_unmarking = 0;
    return unmarked ? Status(Done{}) : Status(unmarked.error());
}

Status KernelSide::restart() {
    state_->functions.clear();
    if (auto status = drain(UINT64_MAX / 2, [](auto) {}); !status) {
        return status;
    }
    if (auto status = state_->unmark_threads(); !status) {
        return status;
    }
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, state_->skeleton->obj) {
        if (const int error = empty_map(map, state_->cpu_count); error != 0) {
            return failure(std::string("map ") + bpf_map__name(map), error);
        }
    }
    std::memset(state_->skeleton->bss, 0, sizeof(*state_->skeleton->bss));
    state_->probes.clear();
    return Done{};
}

/// Called by libbpf for each record of the ring at hand.
int KernelSide::State::take(void* context, void* data, std::size_t size) {
    auto* state = static_cast<State*>(context);
    ts_event_head head{};
    if (size >= sizeof(head)) {
        std::memcpy(&head, data, sizeof(head));
        (*state->sink)({static_cast<const std::byte*>(data), size});
    }
    return head.time > state->stop_after_ns ? -ECANCELED : 0;
}

Status KernelSide::drain(std::uint64_t until_ns, const RecordSink& sink) {
    // Records of a CPU are in order but for those written in interrupts; these are microseconds old. A busy CPU is left to the
    // next drain once its records are well past the watermark, or it would keep us for ever.
    constexpr std::uint64_t kMargin = 5'000'000;
    state_->sink = &sink;
    state_->stop_after_ns = until_ns + kMargin;
    for (const auto& ring : state_->rings) {
        const int status = ring_buffer__consume(ring.get());
        if (status < 0 && status != -ECANCELED) {
            return failure("a ring buffer cannot be read", -status);
        }
    }
    state_->sink = nullptr;
    return Done{};
}

double KernelSide::fill() const {
    double most = 0;
    for (const auto& gauge : state_->gauges) {
        most = std::max(most, gauge.fill());
    }
    return most;
}

std::vector<ts_cpu> KernelSide::counters() const {
    const std::uint32_t zero = 0;
    std::vector<ts_cpu> counters(state_->cpu_count);
    if (bpf_map__lookup_elem(state_->skeleton->maps.cpus, &zero, sizeof(zero), counters.data(), counters.size() * sizeof(ts_cpu),
                             0) != 0) {
        counters.clear();
    }
    return counters;
}

std::uint64_t KernelSide::threads_missed() const {
    return state_->skeleton->bss->ts_threads_missed;
}

std::vector<ProgramRunTime> KernelSide::run_times() const {
    std::vector<ProgramRunTime> times;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, state_->skeleton->obj) {
        bpf_prog_info info{};
        std::uint32_t size = sizeof(info);
        if (const int fd = bpf_program__fd(program); fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0) {
            times.push_back({bpf_program__name(program), info.run_cnt, info.run_time_ns, info.recursion_misses});
        }
    }
    return times;
}

const std::vector<Probe>& KernelSide::probes() const {
    return state_->probes;
}

int enable_run_time() {
    return bpf_enable_stats(BPF_STATS_RUN_TIME);
}

}  // namespace timesink::live
