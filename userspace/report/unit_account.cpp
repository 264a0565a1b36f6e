#include "report/unit_account.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "analyze/call_name.hpp"
#include "analyze/unit_calls.hpp"
#include "report/numbers.hpp"

namespace timesink::report {

namespace {

using attribute::Account;
using attribute::Bucket;
using attribute::Cause;
using attribute::OwnedExchange;

/// Of one bucket; the tree in order of time has all of them.
constexpr std::size_t kMostLines = 24;

class Rows {
public:
    Rows(const Account& account, const Safe& safe) : account_(account), safe_(safe) {
        for (std::size_t i = 0; i < account.by_cause.size(); ++i) {
            sums_[static_cast<std::size_t>(attribute::bucket_of(static_cast<Cause>(i)))] += account.by_cause[i];
        }
    }

    std::vector<TreeRow> make() {
        for (const Bucket bucket : {Bucket::provider, Bucket::transfer, Bucket::db, Bucket::overhead}) {
            bucket_ = bucket;
            add(0, std::string(title(bucket)), sums_[static_cast<std::size_t>(bucket)], note());
            lines_ = 0;
            if (bucket == Bucket::provider) {
                calls();
            } else if (bucket == Bucket::transfer) {
                objects();
                calls();
                waits();
            }
            if (lines_ > kMostLines) {
                add(1, "and " + noun(lines_ - kMostLines, "more line"), left_out_, "in order of time below");
            }
            left_out_ = {};
        }
        return std::move(rows_);
    }

private:
    void add(int depth, std::string name, Duration time, std::string note = {}) {
        rows_.push_back({depth, bucket_, std::move(name), time, std::move(note), {}});
    }
    /// One line of many.
    void add_line(std::string name, Duration time, std::string note) {
        if (++lines_ > kMostLines) {
            left_out_ += time;
        } else {
            add(1, std::move(name), time, std::move(note));
        }
    }

    [[nodiscard]] std::string note() const {
        if (bucket_ == Bucket::db) {
            return database();
        }
        std::string text;
        for (std::size_t i = 0; i < account_.by_cause.size() && bucket_ == Bucket::overhead; ++i) {
            const auto cause = static_cast<Cause>(i);
            if (attribute::bucket_of(cause) == bucket_ && account_.by_cause[i] > Duration{}) {
                text += (text.empty() ? "" : " · ") + std::string(title(cause)) + " " + duration(account_.by_cause[i]);
            }
        }
        return text;
    }

    [[nodiscard]] std::string database() const {
        std::set<std::pair<std::string_view, std::string_view>> shapes;
        std::uint64_t statements = 0;
        for (const OwnedExchange& owned : account_.exchanges) {
            if (owned.bucket == Bucket::db && !owned.exchange.housekeeping) {
                ++statements;
                shapes.emplace(owned.exchange.operation, owned.exchange.statement);
            }
        }
        return statements == 0 ? std::string() : noun(statements, "statement") + ", " + noun(shapes.size(), "shape");
    }

    [[nodiscard]] std::string what(const OwnedExchange& owned) const {
        const request::Exchange& exchange = owned.exchange;
        const std::string host = exchange.host.empty() ? analyze::peer_name(exchange.remote) : exchange.host;
        // Object storage is told by its bucket, which stands ahead of the key.
        const std::string place = exchange.storage != nullptr ? std::string() : safe_(host);
        return safe_(exchange.operation) + (place.empty() ? "" : " " + place) +
               (exchange.statement.empty() ? "" : " " + safe_(exchange.statement));
    }

    /// Those of the bucket that count and belong to no object.
    void calls() {
        std::size_t number = 0;
        for (const OwnedExchange& owned : account_.exchanges) {
            if (owned.bucket != bucket_ || (owned.object != 0 && bucket_ == Bucket::transfer) || owned.on_path <= Duration{}) {
                continue;
            }
            number += owned.exchange.housekeeping ? 0 : 1;
            std::string name = owned.exchange.housekeeping ? safe_(owned.exchange.operation) : "call " + std::to_string(number);
            if (!owned.line.empty()) {
                name = safe_(owned.line);
            } else if (owned.internal) {
                name = "internal";
            }
            add_line(std::move(name), owned.on_path, what(owned) + outcome(owned));
        }
    }

    [[nodiscard]] static std::string outcome(const OwnedExchange& owned) {
        const request::Exchange& exchange = owned.exchange;
        std::string text;
        if (exchange.arrived > exchange.sent) {
            text += " · first byte " + duration(exchange.arrived - exchange.sent);
        }
        return exchange.status >= 400 ? text + " · " + std::to_string(exchange.status) : text;
    }

    void objects() {
        std::map<std::string_view, std::size_t> numbers;
        for (std::size_t i = 0; i < account_.objects.size(); ++i) {
            const attribute::MovedObject& object = account_.objects[i];
            const std::string name = std::string(object.kind) + " " + std::to_string(numbers[object.kind]++) + " (" +
                                     bytes(static_cast<double>(object.bytes)) + ")";
            add_line(name, object.on_path, steps(i + 1));
        }
    }

    /// "GET cdn.test /a/{id} 2.01 s → PutObject images/{id} 1.18 s": of several alike, one with their number.
    [[nodiscard]] std::string steps(std::size_t object) const {
        struct Step {
            std::string what;
            std::size_t count = 0;
            Duration length{};
            Duration beside{};
            int status = 0;
        };
        std::vector<Step> steps;
        for (const OwnedExchange& owned : account_.exchanges) {
            if (owned.object != object) {
                continue;
            }
            std::string name = what(owned);
            if (steps.empty() || steps.back().what != name) {
                steps.push_back({std::move(name)});
            }
            Step& step = steps.back();
            ++step.count;
            step.length += owned.on_path > Duration{} ? owned.on_path : analyze::call_length(owned.exchange);
            step.beside += owned.on_path > Duration{} ? Duration{} : analyze::call_length(owned.exchange);
            step.status = std::max(step.status, owned.exchange.status >= 400 ? owned.exchange.status : 0);
        }
        std::string text;
        for (const Step& step : steps) {
            text += (text.empty() ? "" : " → ") + (step.count > 1 ? std::to_string(step.count) + " × " : "") + step.what + " " +
                    duration(step.length) + (step.beside > Duration{} ? " ∥" : "") +
                    (step.status != 0 ? " (" + std::to_string(step.status) + ")" : "");
        }
        return text;
    }

    /// What the client took its time for.
    void waits() {
        if (const Duration time = account_.by_cause[static_cast<std::size_t>(Cause::transfer_request)]; time > Duration{}) {
            add_line("request", time, "the client sends " + bytes(static_cast<double>(account_.unit.bytes_in)));
        }
        if (const Duration time = account_.by_cause[static_cast<std::size_t>(Cause::transfer_response)]; time > Duration{}) {
            add_line("response", time, "the client reads " + bytes(static_cast<double>(account_.unit.bytes_out)) + " slowly");
        }
    }

    const Account& account_;
    const Safe& safe_;
    std::array<Duration, attribute::kBucketCount> sums_{};
    Bucket bucket_ = Bucket::provider;
    std::size_t lines_ = 0;
    Duration left_out_{};
    std::vector<TreeRow> rows_;
};

}  // namespace

std::vector<TreeRow> unit_account_rows(const Account& account, const Safe& safe) {
    return Rows(account, safe).make();
}

}  // namespace timesink::report
