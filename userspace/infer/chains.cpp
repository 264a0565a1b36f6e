#include "infer/chains.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

namespace timesink::infer {

namespace {

/// The rate of foreseen responses below which nothing near is believed beyond it. Above, what is not foreseen counts a third: a
/// chain that agrees at both its ends has been confirmed by itself.
constexpr double kTrusted = 0.85;
constexpr double kDoubtOfTrusted = 0.34;
constexpr double kSurpriseOfLate = 3;  // one of kNear is enough for nothing to be certain
constexpr std::uint64_t kNear = 20;    // responses
constexpr std::uint64_t kBehind = 60;  // so far behind a statement responses tell of it
constexpr std::size_t kMostSurprises = 4096;

constexpr std::size_t kMatchEvery = 24;  ///< units with missing chains that make a matching worth it
constexpr std::size_t kMatchLag = 12;    ///< of these, the latest wait for more
constexpr std::size_t kMostInMatch = 256;
constexpr int kRounds = 30;
constexpr double kUnlikely = 1e-6;
constexpr double kLearnable = 0.97;

}  // namespace

void Chains::began(UnitId unit) {
    records_[chain_of(unit)];
    if (records_.size() > kMostChains) {
        give_up();
    }
}

/// Of the kNear responses up to this one, the share that was foreseen.
double Chains::rate(std::uint64_t until) const {
    const auto first = std::upper_bound(surprises_.begin(), surprises_.end(), until > kNear ? until - kNear : 0);
    const auto last = std::upper_bound(first, surprises_.end(), until);
    return 1 - static_cast<double>(last - first) / static_cast<double>(kNear);
}

/// Of a statement that was decided behind so many responses. What is not foreseen much later tells nothing of it: a chain that
/// has slipped since will not end where it should.
double Chains::trust(std::uint64_t responses) const {
    double least = rate(responses);
    for (std::uint64_t until = responses; until < responses_ && until < responses + kBehind;) {
        until = std::min(responses_, until + kNear);
        least = std::min(least, rate(until));
    }
    if (late_driver_) {
        return std::max(0.0, 1 - kSurpriseOfLate * (1 - least));
    }
    return least >= kTrusted && !names_are_learned_ ? 1 - kDoubtOfTrusted * (1 - least) : least;
}

void Chains::foresaw(bool right) {
    ++responses_;
    if (!right) {
        surprises_.push_back(responses_);
        if (surprises_.size() > kMostSurprises) {
            surprises_.pop_front();
        }
    }
}

/// How long the sleep took is known when both its ends are.
void Chains::learn(const Sleep& slept, const Sleep& woke) {
    const Duration least = std::max(woke.from - slept.from, Duration{});
    const Duration most = woke.to - slept.from;
    if (slept.kind != 0 && slept.kind == woke.kind && most > least && most - least <= kNarrow) {
        slept_.push_back({slept.before, least, most});
    }
}

std::vector<Chains::Slept> Chains::take_slept() {
    std::vector<Slept> taken;
    taken.swap(slept_);
    return taken;
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
                                         note.runner_up_probability, note.reason, note.cause, responses_});
            break;
        case Kind::sleep:
            record.sleeps = {note.sleepers, note.from, note.from, note.delays, note.history};
            break;
        case Kind::wake:
            record.woke = {note.sleepers, note.from, note.to, note.delays, {}};
            break;
        case Kind::response:
            break;
    }
}

void Chains::decide(Record& record, const Link& link) {
    constexpr double kAll = 0.97;  // what is beyond may be anybody's
    for (const Statement& statement : record.statements) {
        const double trusted = in_doubt_ ? 0 : trust(statement.responses);
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
    if (note.probability >= kCertain) {
        learn(open.sleeps, open.woke);
    }
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
/// cannot be had. Units that have not responded yet, the rows from `responded` on, may stay without.
void Chains::scale(std::vector<double>& share, std::size_t columns, std::size_t responded) {
    std::vector<double> sums(columns);
    for (int round = 0; round < kRounds; ++round) {
        // Row by row, as they lie in memory: the sums of all columns at once.
        std::fill(sums.begin(), sums.end(), 0);
        for (auto row = share.begin(); row != share.end(); row += static_cast<std::ptrdiff_t>(columns)) {
            std::transform(sums.begin(), sums.end(), row, sums.begin(), std::plus<>());
        }
        std::replace_if(
            sums.begin(), sums.end(), [](double sum) { return sum <= 0; }, 1.0);
        std::size_t index = 0;
        for (auto row = share.begin(); row != share.end(); row += static_cast<std::ptrdiff_t>(columns), ++index) {
            const auto end = row + static_cast<std::ptrdiff_t>(columns);
            std::transform(row, end, sums.begin(), row, std::divides<>());
            const double sum = std::accumulate(row, end, 0.0);
            if (sum > (index < responded ? 0 : 1)) {
                std::transform(row, end, row, [sum](double each) { return each / sum; });
            }
        }
    }
}

/// Whose chains these are, for units of which some are missing.
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
    scale(share, columns.size(), responded);
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
        if (link.share >= kLearnable) {
            learn(*rows[r].sleeps, record.woke);
            learn(record.sleeps, *rows[r].woke);
        }
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
