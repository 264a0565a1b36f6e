#include "analyze/figure_sums.hpp"

#include <algorithm>

namespace timesink::analyze {

using attribute::Account;
using attribute::Bucket;

FigureSums::FigureSums(const Limits& limits) : limits_(limits), slowest_(limits.slowest), calls_(limits.calls) {}

FigureSums::CallSums::CallSums() = default;

void FigureSums::CallSums::fold(CallSums&& other) {
    line.add(other.line);
    lengths.add(other.lengths);
}

void FigureSums::add(const Account& account, const UnitCalls& calls) {
    const request::Unit& unit = account.unit;
    figures_.ledger.add(account);
    latency_.add(account.wall());
    if (unit.connected != Instant{} && unit.accepted != Instant{}) {
        accept_wait_.add(unit.accepted - unit.connected);
    }
    if (unit.kind == request::UnitKind::job) {
        first_job_ = std::min(first_job_, unit.begin);
        last_job_ = std::max(last_job_, unit.end);
    }
    if (unit.added != Instant{} && unit.added <= unit.begin) {
        queue_wait_.add(unit.begin - unit.added);
    }
    if (unit.status >= 500) {
        ++figures_.server_errors;
    } else if (unit.status >= 400) {
        ++figures_.client_errors;
    } else if (!unit.error.empty()) {
        ++figures_.protocol_errors;
    }
    figures_.bytes_in += unit.bytes_in;
    figures_.bytes_out += unit.bytes_out;
    figures_.objects.add(account.objects);
    if (unit.resources_known) {
        figures_.resources.add(unit);
    }
    for (const CallFacts& call : calls.calls()) {
        add_call(unit.id, call);
    }
    if (calls.in_sequence() > 0) {
        ++figures_.units_in_sequence;
        figures_.calls_in_sequence += calls.in_sequence();
        figures_.sequence_gain += calls.sequence_gain();
    }
}

void FigureSums::add_call(UnitId unit, const CallFacts& call) {
    const attribute::OwnedExchange& owned = *call.owned;
    const request::Exchange& exchange = owned.exchange;
    ++figures_.exchanges;
    if (exchange.housekeeping) {
        ++figures_.housekeeping;
    } else if (owned.bucket == Bucket::db) {
        ++figures_.statements;
    }

    CallSums& sums = calls_.at(call.view, exchange.fingerprint);
    CallLine& line = sums.line;
    if (line.count == 0) {
        line.fingerprint = exchange.fingerprint;
    }
    if (line.count == 0 || sums.unit != unit) {
        sums.unit = unit;
        sums.calls_in_unit = sums.repeats_in_unit = 0;
        ++line.units;
    }
    ++line.count;
    line.most_in_unit = std::max(line.most_in_unit, ++sums.calls_in_unit);
    if (call.repeat) {
        ++line.repeats;
        line.repeats_on_path += owned.on_path;
        line.units_repeating += ++sums.repeats_in_unit == kTellingRepeats ? 1 : 0;
    }
    line.errors += exchange.error.empty() && exchange.status < 500 ? 0 : 1;
    line.incomplete += exchange.complete ? 0 : 1;
    ++line.duration.count;
    line.duration.sum += call.length;
    line.duration.max = std::max(line.duration.max, call.length);
    if (limits_.call_distributions) {
        sums.lengths.add(call.length);
    }
    line.on_path += owned.on_path;
    line.hidden += owned.hidden;
    for (std::size_t i = 0; i < line.by_cause.size(); ++i) {
        line.by_cause[i] += call.by_cause[i];
    }
    line.bytes_out += exchange.bytes_out;
    line.bytes_in += exchange.bytes_in;
    if (exchange.rows) {
        line.rows = line.rows.value_or(0) + *exchange.rows;
    }
    line.uncertain += owned.evidence == attribute::Evidence::inferred ? 1 : 0;
    if (owned.inside) {
        line.opened.add({1, owned.on_path, owned.inside->by_cause, owned.inside->between});
    }
    line.connections += exchange.connect_began == Instant{} ? 0 : 1;
    line.setup += call.setup;
    if (exchange.genai != nullptr) {
        add_genai(line.genai, owned, call.attempt, call.before_first_token);
    }
}

void FigureSums::add(FigureSums&& other) {
    figures_.ledger.add(other.figures_.ledger);
    latency_.add(other.latency_);
    accept_wait_.add(other.accept_wait_);
    queue_wait_.add(other.queue_wait_);
    first_job_ = std::min(first_job_, other.first_job_);
    last_job_ = std::max(last_job_, other.last_job_);
    figures_.client_errors += other.figures_.client_errors;
    figures_.server_errors += other.figures_.server_errors;
    figures_.protocol_errors += other.figures_.protocol_errors;
    figures_.bytes_in += other.figures_.bytes_in;
    figures_.bytes_out += other.figures_.bytes_out;
    figures_.exchanges += other.figures_.exchanges;
    figures_.statements += other.figures_.statements;
    figures_.housekeeping += other.figures_.housekeeping;
    figures_.objects.add(other.figures_.objects);
    figures_.resources.add(other.figures_.resources);
    figures_.units_in_sequence += other.figures_.units_in_sequence;
    figures_.calls_in_sequence += other.figures_.calls_in_sequence;
    figures_.sequence_gain += other.figures_.sequence_gain;
    slowest_.add(std::move(other.slowest_));
    for (auto& [key, sums] : other.calls_.lines()) {
        CallSums& mine = calls_.at(key.view());
        if (mine.line.count == 0) {
            mine.line.fingerprint = sums.line.fingerprint;
        }
        mine.fold(std::move(sums));
    }
    if (other.calls_.other()) {
        calls_.fold_away(std::move(*other.calls_.other()), other.calls_.folded());
    }
}

Figures FigureSums::finish() {
    calls_.settle();
    figures_.latency = latency_.quantiles();
    figures_.accept_wait = accept_wait_.quantiles();
    figures_.queue_wait = queue_wait_.quantiles();
    if (last_job_ > first_job_) {
        figures_.jobs_in_hand =
            static_cast<double>(figures_.ledger.wall.count()) / static_cast<double>((last_job_ - first_job_).count());
    }
    figures_.calls_folded = calls_.folded();
    const auto finished = [&](CallSums& sums) {
        CallLine line = std::move(sums.line);
        if (limits_.call_distributions) {
            line.duration = sums.lengths.quantiles();
        }
        return line;
    };
    for (auto& [key, sums] : calls_.lines()) {
        CallLine line = finished(sums);
        line.bucket = key.bucket;
        line.housekeeping = key.housekeeping;
        line.protocol = key.protocol;
        line.operation = key.operation;
        line.host = key.host;
        line.line = key.line;
        line.internal = key.internal;
        line.statement = key.statement;
        figures_.calls.push_back(std::move(line));
    }
    // The map's order settles ties.
    std::stable_sort(figures_.calls.begin(), figures_.calls.end(),
                     [](const CallLine& a, const CallLine& b) { return a.on_path > b.on_path; });
    if (calls_.other()) {
        CallLine line = finished(*calls_.other());
        line.other = true;
        line.fingerprint = 0;
        figures_.calls.push_back(std::move(line));
    }
    figures_.slowest.assign(slowest_.units().begin(), slowest_.units().end());
    return std::move(figures_);
}

}  // namespace timesink::analyze
