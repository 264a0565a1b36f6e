#include "infer/chains.hpp"

#include <algorithm>
#include <bit>

namespace timesink::infer {

namespace {

/// The rate of foreseen responses below which nothing near is believed beyond it. Above, what is not foreseen counts a third: a
/// chain that agrees at both its ends has been confirmed by itself.
constexpr double kTrusted = 0.85;
constexpr double kDoubtOfTrusted = 0.34;
constexpr std::uint32_t kRemembered = 0xfffff;  // 20 responses

constexpr std::size_t kMatchEvery = 24;  ///< units with missing chains that make a matching worth it
constexpr std::size_t kMatchLag = 12;    ///< of these, the latest wait for more
constexpr std::size_t kMostInMatch = 256;
constexpr int kRounds = 30;
constexpr double kUnlikely = 1e-6;

}  // namespace

void Chains::began(UnitId unit) {
    records_[chain_of(unit)];
    if (records_.size() > kMostChains) {
        give_up();
    }
}

double Chains::trust() const {
    const double rate = std::popcount(responses_ & kRemembered) / static_cast<double>(std::popcount(kRemembered));
    return rate >= kTrusted && !names_are_learned_ ? 1 - kDoubtOfTrusted * (1 - rate) : rate;
}

void Chains::foresaw(bool right) {
    responses_ = responses_ << 1 | (right ? 1 : 0);
}

void Chains::on(const Hypothesis::Note& note) {
    using Kind = Hypothesis::Note::Kind;
    if (note.kind == Kind::response) {
        respond(note);
        return;
    }
    if (note.kind == Kind::statement && note.reason == Reason::unexplained) {
        Verdict& unknown = verdicts_.emplace_back();
        unknown.exchange = note.exchange;
        unknown.reason = note.reason;
        unknown.cause = note.cause;
        return;
    }
    Record& record = records_[note.chain];
    switch (note.kind) {
        case Kind::statement:
            record.sleeps = {};
            record.statements.push_back({note.exchange, in_doubt_ ? 0 : note.probability, note.runner_up,
                                         note.runner_up_probability, note.reason, note.cause});
            break;
        case Kind::sleep:
            record.sleeps = {note.sleepers, note.from, note.from, note.delays};
            break;
        case Kind::wake:
            record.woke = {note.sleepers, note.from, note.to, note.delays};
            break;
        case Kind::response:
            break;
    }
}

void Chains::decide(Record& record, const Link& link) {
    constexpr double kAll = 0.97;  // what is beyond may be anybody's
    const double trusted = in_doubt_ ? 0 : trust();
    for (const Statement& statement : record.statements) {
        Verdict verdict;
        verdict.exchange = statement.exchange;
        verdict.unit = link.unit;
        verdict.margin = statement.probability * link.share * trusted;
        verdict.reason = statement.reason;
        verdict.cause = statement.cause;
        const bool other_unit = statement.runner_up_probability > 0 && static_cast<std::uint64_t>(statement.runner_up) % 2 == 0;
        if (link.runner_up != UnitId{} && link.runner_up_share >= statement.runner_up_probability) {
            verdict.runner_up = link.runner_up;
            verdict.runner_up_margin = link.runner_up_share;
        } else if (other_unit) {
            verdict.runner_up = UnitId{static_cast<std::uint64_t>(statement.runner_up) / 2};
            verdict.runner_up_margin = statement.runner_up_probability;
        }
        const double told = statement.probability + (other_unit ? statement.runner_up_probability : 0);
        if (link.exhaustive && told >= kAll && trusted >= kAll) {
            verdict.candidates = link.candidates;
            verdict.candidates.push_back(link.unit);
            if (other_unit) {
                verdict.candidates.push_back(UnitId{static_cast<std::uint64_t>(statement.runner_up) / 2});
            }
        }
        verdicts_.push_back(std::move(verdict));
    }
    record.statements.clear();
}

void Chains::respond(const Hypothesis::Note& note) {
    const Chain first = chain_of(note.unit);
    Record& last = records_[note.chain];
    if (!note.agrees) {
        decide(last, {});
        decide(records_[first], {});
        return;
    }
    constexpr double kCertain = 0.97;
    const Link link{note.unit, note.probability, {}, 0, note.probability >= kCertain, {}};
    decide(last, link);
    if (note.chain == first) {
        records_.erase(first);
        return;
    }
    Record& begun = records_[first];
    decide(begun, link);
    const Open open{note.unit, begun.sleeps, last.woke};
    records_.erase(first);
    records_.erase(note.chain);
    if (open.sleeps.kind == 0 || open.sleeps.kind == open.woke.kind) {
        return;
    }
    std::vector<Open>& waiting = open_[open.sleeps.kind];
    waiting.push_back(open);
    if (waiting.size() >= kMatchEvery) {
        match(open.sleeps.kind, kMatchLag);
    }
}

/// That this unit's chain in between is that one: by how long it slept before and after.
double Chains::likelihood(const Row& row, const Record& middle) {
    const Sleep& woke = middle.woke;
    if (row.sleeps->from >= woke.to) {
        return 0;
    }
    double share = 0.1;
    if (woke.delays != nullptr && woke.delays->known()) {
        share = woke.delays->wakes_within(woke.from - row.sleeps->from, woke.to - row.sleeps->from);
    }
    if (row.woke != nullptr && row.woke->kind == middle.sleeps.kind) {
        if (middle.sleeps.from >= row.woke->to) {
            return 0;
        }
        if (row.woke->delays != nullptr && row.woke->delays->known()) {
            share *= row.woke->delays->wakes_within(row.woke->from - middle.sleeps.from, row.woke->to - middle.sleeps.from);
        }
    }
    return std::max(share, kUnlikely);
}

/// Marginals of the matching by scaling rows and columns in turn to one (Sinkhorn): near enough to the permanents' ratios, which
/// cannot be had. Units that have not responded yet may stay without.
void Chains::match(std::uint64_t kind, std::size_t keep) {
    std::vector<Open> open = std::move(open_[kind]);
    open_.erase(kind);
    std::vector<Row> rows;
    rows.reserve(open.size());
    for (const Open& each : open) {
        rows.push_back({each.unit, &each.sleeps, &each.woke});
    }
    const std::size_t responded = rows.size();
    std::vector<Column> columns;
    for (auto& [chain, record] : records_) {
        if (static_cast<std::uint64_t>(chain) % 2 == 0 && record.sleeps.kind == kind && rows.size() < kMostInMatch) {
            rows.push_back({UnitId{static_cast<std::uint64_t>(chain) / 2}, &record.sleeps, nullptr});
        } else if (record.woke.kind == kind && columns.size() < kMostInMatch) {
            columns.push_back({chain, &record});
        }
    }
    std::vector<double> share(rows.size() * columns.size());
    for (std::size_t r = 0; r < rows.size(); ++r) {
        for (std::size_t c = 0; c < columns.size(); ++c) {
            share[r * columns.size() + c] = likelihood(rows[r], *columns[c].record);
        }
    }
    for (int round = 0; round < kRounds; ++round) {
        for (std::size_t c = 0; c < columns.size(); ++c) {
            double sum = 0;
            for (std::size_t r = 0; r < rows.size(); ++r) {
                sum += share[r * columns.size() + c];
            }
            for (std::size_t r = 0; sum > 0 && r < rows.size(); ++r) {
                share[r * columns.size() + c] /= sum;
            }
        }
        for (std::size_t r = 0; r < rows.size(); ++r) {
            double sum = 0;
            for (std::size_t c = 0; c < columns.size(); ++c) {
                sum += share[r * columns.size() + c];
            }
            for (std::size_t c = 0; sum > (r < responded ? 0 : 1) && c < columns.size(); ++c) {
                share[r * columns.size() + c] /= sum;
            }
        }
    }
    const std::size_t final_rows = responded - std::min(keep, responded);
    settle(rows, columns, share, final_rows);
    for (std::size_t r = final_rows; r < responded; ++r) {
        open_[kind].push_back(open[r]);
    }
}

void Chains::settle(const std::vector<Row>& rows, std::vector<Column>& columns, const std::vector<double>& share,
                    std::size_t final_rows) {
    for (std::size_t r = 0; r < final_rows; ++r) {
        std::size_t best = columns.size();
        for (std::size_t c = 0; c < columns.size(); ++c) {
            const bool free = columns[c].record != nullptr;
            if (free && (best == columns.size() || share[r * columns.size() + c] > share[r * columns.size() + best])) {
                best = c;
            }
        }
        if (best == columns.size() || share[r * columns.size() + best] <= 0) {
            continue;
        }
        constexpr double kMaybe = 1e-3;
        Link link{rows[r].unit, share[r * columns.size() + best], {}, 0, true, {}};
        for (std::size_t other = 0; other < rows.size(); ++other) {
            const double theirs = share[other * columns.size() + best];
            if (other != r && theirs > kMaybe) {
                link.candidates.push_back(rows[other].unit);
            }
            if (other != r && theirs > link.runner_up_share) {
                link.runner_up = rows[other].unit;
                link.runner_up_share = theirs;
            }
        }
        link.share = std::max(std::min(link.share, 1 - link.runner_up_share), 0.0);
        Record& record = *columns[best].record;
        decide(record, link);
        if (rows[r].woke->kind != record.sleeps.kind && record.sleeps.kind != 0) {
            open_[record.sleeps.kind].push_back({rows[r].unit, record.sleeps, *rows[r].woke});
        }
        records_.erase(columns[best].chain);
        columns[best].record = nullptr;
    }
}

void Chains::abandoned(UnitId unit) {
    const auto found = records_.find(chain_of(unit));
    if (found != records_.end()) {
        decide(found->second, {});
        records_.erase(found);
    }
}

void Chains::give_up() {
    for (int rounds = 0; rounds < 16 && !open_.empty(); ++rounds) {
        match(open_.begin()->first, 0);
    }
    open_.clear();
    for (auto& [chain, record] : records_) {
        decide(record, {});
    }
    records_.clear();
}

std::vector<Verdict> Chains::take() {
    std::vector<Verdict> taken;
    taken.swap(verdicts_);
    return taken;
}

}  // namespace timesink::infer
