#include <algorithm>
#include <map>

#include "analyze/call_name.hpp"
#include "report/account_tree.hpp"
#include "report/genai_wording.hpp"
#include "report/numbers.hpp"

namespace timesink::report {

namespace {

using analyze::CallLine;
using analyze::Figures;
using attribute::Bucket;
using attribute::Cause;

constexpr double kLeastShare = 0.001;
/// One shape that has this share of a cause is named on the cause's own line.
constexpr double kNearlyAll = 0.9;
constexpr std::size_t kMostCalls = 3;
constexpr std::size_t kMostHosts = 4;

class Rows {
public:
    Rows(const analyze::Model& model, const Figures& figures, const Safe& safe)
        : model_(model), figures_(figures), safe_(safe), unit_(unit_noun(model)) {}

    std::vector<TreeRow> make() {
        for (std::size_t i = 0; i < attribute::kBucketCount; ++i) {
            bucket_ = static_cast<Bucket>(i);
            add(0, std::string(title(bucket_)), figures_.ledger.bucket(bucket_));
            if (bucket_ == Bucket::provider) {
                hosts();
            } else {
                causes();
            }
        }
        return std::move(rows_);
    }

private:
    TreeRow& add(int depth, std::string name, Duration time, std::string note = {}, std::string tail = {}) {
        rows_.push_back({depth, bucket_, std::move(name), time, std::move(note), std::move(tail)});
        return rows_.back();
    }
    [[nodiscard]] bool worth(Duration time) const { return share_of(time, figures_.ledger.wall) >= kLeastShare; }
    [[nodiscard]] double each(std::uint64_t count) const { return share_of(count, figures_.ledger.units); }
    [[nodiscard]] std::string times(std::uint64_t count) const { return three_digits(each(count), 1) + " × a " + unit_; }
    [[nodiscard]] std::string size(std::uint64_t sum) const { return bytes(each(sum)) + " a " + unit_; }

    void causes() {
        Duration rest{};
        std::string rest_names;
        for (std::size_t i = 0; i < attribute::kCauseCount; ++i) {
            const auto cause = static_cast<Cause>(i);
            const Duration time = figures_.ledger.by_cause[i];
            if (attribute::bucket_of(cause) != bucket_ || cause == Cause::unattributed) {
                continue;
            }
            if (!worth(time)) {
                rest += time;
                rest_names += time > Duration{} ? (rest_names.empty() ? "" : ", ") + std::string(title(cause)) : "";
                continue;
            }
            add(1, std::string(title(cause)), time);
            if (cause == Cause::db_server || cause == Cause::db_embedded) {
                calls(rows_.size() - 1, cause);
            } else if (cause == Cause::transfer_storage) {
                storage(rows_.size() - 1);
            } else {
                rows_.back().note = note(cause);
            }
        }
        if (worth(rest)) {
            add(1, "others", rest, rest_names);
        }
        if (bucket_ == Bucket::overhead) {
            add(1, std::string(title(Cause::unattributed)), figures_.ledger.cause(Cause::unattributed));
        }
    }

    [[nodiscard]] std::string note(Cause cause) const {
        const analyze::Host& host = model_.run.host;
        switch (cause) {
            case Cause::db_connect: {
                std::uint64_t opened = 0;
                for (const CallLine& call : figures_.calls) {
                    opened += call.bucket == Bucket::db && !call.other ? call.connections : 0;
                }
                return noun(opened, "connection") + " opened";
            }
            case Cause::db_queue:
                return waits_for_locks() ? "behind others on the same connection, or for their locks (SQLite)"
                                         : "behind other statements on the same connection";
            case Cause::db_result: {
                std::uint64_t fetched = 0;
                for (const CallLine& call : figures_.calls) {
                    fetched += call.bucket == Bucket::db && !call.other ? call.bytes_in : 0;
                }
                return size(fetched);
            }
            case Cause::transfer_request:
                return "clients send " + size(figures_.bytes_in);
            case Cause::transfer_response:
                return "clients read slowly, " + size(figures_.bytes_out);
            case Cause::run_queue:
                if (host.cpus && host.runnable) {
                    return noun(*host.cpus, "CPU") + ", " + three_digits(*host.runnable, 1) + " runnable threads";
                }
                return "runnable, waiting for a CPU";
            case Cause::loop_busy:
                return "the event loop was busy with others";
            case Cause::pool_wait:
                return "for a connection of the pool";
            case Cause::lock:
                return "locks, the GIL";
            case Cause::page_fault:
                return grouped(figures_.resources.major_faults) + " major, " + grouped(figures_.resources.minor_faults) +
                       " minor";
            case Cause::backlog:
                return model_.load.workers > 0 && model_.load.occupancy >= 0.7 ? "in the kernel, not yet read: workers are busy"
                                                                               : "in the kernel, not yet read";
            default:
                return {};
        }
    }

    /// What runs in the process has no connection to queue on.
    [[nodiscard]] bool waits_for_locks() const {
        return std::any_of(figures_.calls.begin(), figures_.calls.end(), [](const CallLine& call) {
            return call.cause(Cause::db_queue) > Duration{} && call.cause(Cause::db_embedded) > Duration{};
        });
    }

    /// Below "server wait" or "embedded": the statements, unless one is nearly all of it.
    void calls(std::size_t row, Cause cause) {
        std::vector<const CallLine*> lines;
        std::uint64_t shapes = 0;
        std::uint64_t embedded = 0;
        for (const CallLine& call : figures_.calls) {
            embedded += call.protocol == "sqlite" && !call.housekeeping ? call.count : 0;
            if (call.cause(cause) > Duration{}) {
                shapes += call.other ? figures_.calls_folded : 1;
                if (!call.other) {
                    lines.push_back(&call);
                }
            }
        }
        std::stable_sort(lines.begin(), lines.end(),
                         [cause](const CallLine* a, const CallLine* b) { return a->cause(cause) > b->cause(cause); });
        const Duration whole = rows_[row].time;
        if (!lines.empty() && share_of(lines.front()->cause(cause), whole) >= kNearlyAll) {
            rows_[row].note = safe_(analyze::call_name(*lines.front()));
            rows_[row].tail = times(lines.front()->count);
            return;
        }
        rows_[row].note = noun(shapes, "shape") + " of statement";
        rows_[row].tail =
            times(cause == Cause::db_embedded ? embedded : figures_.statements - std::min(embedded, figures_.statements));
        std::size_t shown = 0;
        for (const CallLine* call : lines) {
            const Duration time = call->cause(cause);
            if (shown == kMostCalls || share_of(time, figures_.ledger.wall) < 10 * kLeastShare) {
                break;
            }
            ++shown;
            add(2, safe_(call->line.empty() ? call->protocol : call->line), time, safe_(analyze::call_name(*call)),
                times(call->count));
        }
    }

    struct HostSum {
        Duration time{};
        Duration first_byte{};
        Duration connect{};
        std::uint64_t calls = 0;
        analyze::Opened opened;
        const CallLine* most = nullptr;
    };

    /// Under the lines that rules name, else by host. `internal`: only what rules take for that, or only the rest.
    [[nodiscard]] std::vector<std::pair<std::string, HostSum>> by_host(Cause only, bool internal) const {
        std::map<std::string, HostSum> sums;
        for (const CallLine& call : figures_.calls) {
            if (call.other || call.bucket != bucket_ || call.internal != internal) {
                continue;
            }
            HostSum& sum = sums[heading_of(call)];
            sum.time += only == Cause::unattributed ? call.on_path : call.cause(only);
            sum.first_byte += call.cause(Cause::provider_first_byte);
            sum.connect += call.cause(Cause::provider_connect);
            sum.calls += call.count;
            sum.opened.add(call.opened);
            if (sum.most == nullptr || call.on_path > sum.most->on_path) {
                sum.most = &call;
            }
        }
        std::vector<std::pair<std::string, HostSum>> order(sums.begin(), sums.end());
        std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.second.time > b.second.time; });
        return order;
    }

    static const std::string& heading_of(const CallLine& call) { return call.line.empty() ? call.host : call.line; }

    /// Below a host: its language models.
    void models(const std::string& host) {
        for (const CallLine& call : figures_.calls) {
            if (!call.other && call.bucket == bucket_ && heading_of(call) == host && call.genai.calls > 0 &&
                worth(call.on_path)) {
                add(2, safe_(models_of(call.genai)), call.on_path, wording_of(call.genai));
            }
        }
    }

    /// Below a host that is traced as well: what it did meanwhile. Sums to the host's time, but for what is not worth a line.
    void inside(const HostSum& sum) {
        if (sum.opened.count == 0) {
            return;
        }
        const TimeScale scale = TimeScale::of(per_unit(figures_.ledger.wall));
        for (std::size_t i = 0; i < attribute::kBucketCount; ++i) {
            const auto bucket = static_cast<Bucket>(i);
            const Duration time = sum.opened.bucket(bucket);
            if (!worth(time)) {
                continue;
            }
            std::string note;
            for (std::size_t c = 0; c < attribute::kCauseCount; ++c) {
                const Duration part = sum.opened.by_cause[c];
                if (attribute::bucket_of(static_cast<Cause>(c)) == bucket && share_of(part, time) >= 0.1) {
                    note += (note.empty() ? "" : " · ") + std::string(title(static_cast<Cause>(c))) + " " +
                            scale.fixed(per_unit(part)) + " " + std::string(scale.unit);
                }
            }
            add(2, "its " + std::string(title(bucket)), time, note);
        }
        if (worth(sum.opened.between)) {
            add(2, "on the way", sum.opened.between, "the network between, and this end");
        }
        if (const Duration rest = sum.time - sum.opened.on_path; worth(rest)) {
            add(2, "not followed", rest, noun(sum.calls - sum.opened.count, "call") + " whose other end was not seen");
        }
    }

    /// Services of the user's own, by rules: a line beside the providers, with theirs below.
    void internal() {
        const Duration whole = figures_.ledger.cause(Cause::provider_internal);
        if (!worth(whole)) {
            return;
        }
        const auto order = by_host(Cause::unattributed, true);
        std::uint64_t calls = 0;
        for (const auto& entry : order) {
            calls += entry.second.calls;
        }
        add(1, std::string(title(Cause::provider_internal)), whole, "services of your own, by rules", times(calls));
        std::size_t shown = 0;
        for (const auto& [host, sum] : order) {
            if (shown++ == kMostHosts || !worth(sum.time)) {
                break;
            }
            add(2, safe_(host), sum.time, safe_(analyze::call_name(sum.most->operation, sum.most->statement)), times(sum.calls));
        }
    }

    void hosts() {
        Duration rest = figures_.ledger.bucket(bucket_) - figures_.ledger.cause(Cause::provider_internal);
        std::size_t shown = 0;
        const auto order = by_host(Cause::unattributed, false);
        const TimeScale scale = TimeScale::of(per_unit(figures_.ledger.wall));
        for (const auto& entry : order) {
            const HostSum& sum = entry.second;
            if (shown == kMostHosts || !worth(sum.time)) {
                break;
            }
            ++shown;
            rest -= sum.time;
            std::string note = safe_(analyze::call_name(sum.most->operation, sum.most->statement));
            const auto part = [&](std::string_view what, Duration time) {
                if (share_of(time, sum.time) >= 0.05) {
                    note += " · " + std::string(what) + " " + scale.fixed(per_unit(time)) + " " + std::string(scale.unit);
                }
            };
            part("connect", sum.connect);
            part("first byte", sum.first_byte);
            add(1, safe_(entry.first), sum.time, note, times(sum.calls));
            models(entry.first);
            inside(sum);
        }
        if (worth(rest)) {
            add(1, "others", rest, order.size() > shown ? noun(order.size() - shown, "host") : std::string());
        }
        internal();
    }
    /// Nanoseconds.
    [[nodiscard]] double per_unit(Duration time) const {
        return static_cast<double>(time.count()) / std::max(1.0, static_cast<double>(figures_.ledger.units));
    }

    /// What was moved, and below it from and to where, unless one place is nearly all of it.
    void storage(std::size_t row) {
        const auto order = by_host(Cause::transfer_storage, false);
        if (order.empty()) {
            return;
        }
        std::uint64_t moved = 0;
        for (const CallLine& call : figures_.calls) {
            moved += !call.other && call.bucket == Bucket::transfer ? call.bytes_in + call.bytes_out : 0;
        }
        const analyze::ObjectSums& objects = figures_.objects;
        const std::size_t more = order.size() - 1;
        const bool one = share_of(order.front().second.time, rows_[row].time) >= kNearlyAll;
        rows_[row].note = one ? safe_(order.front().first) + (more > 0 ? " and " + noun(more, "more host") : "") + " · " : "";
        rows_[row].note += objects.count > 0 ? bytes(share_of(objects.bytes, objects.count)) + " an object" : size(moved);
        if (objects.count > 0) {
            rows_[row].tail = times(objects.count);
        } else {
            rows_[row].tail = times(order.front().second.calls);
        }
        if (one) {
            return;
        }
        std::size_t shown = 0;
        for (const auto& [host, sum] : order) {
            if (shown++ == kMostCalls || !worth(sum.time)) {
                break;
            }
            add(2, safe_(host), sum.time, safe_(analyze::call_name(sum.most->operation, sum.most->statement)), times(sum.calls));
        }
    }

    const analyze::Model& model_;
    const Figures& figures_;
    const Safe& safe_;
    std::string unit_;
    Bucket bucket_ = Bucket::db;
    std::vector<TreeRow> rows_;
};

}  // namespace

std::vector<TreeRow> account_rows(const analyze::Model& model, const analyze::Figures& figures, const Safe& safe) {
    return Rows(model, figures, safe).make();
}

}  // namespace timesink::report
