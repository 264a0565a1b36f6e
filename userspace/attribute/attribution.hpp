#pragma once

#include <deque>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "attribute/account.hpp"
#include "attribute/backgrounds.hpp"
#include "attribute/blocking_calls.hpp"
#include "attribute/connection_pools.hpp"
#include "attribute/context_owners.hpp"
#include "attribute/crossed_calls.hpp"
#include "attribute/doubts.hpp"
#include "attribute/edges.hpp"
#include "attribute/forwarded_owners.hpp"
#include "attribute/hand_offs.hpp"
#include "attribute/interchange.hpp"
#include "attribute/job_origins.hpp"
#include "attribute/live_unit.hpp"
#include "attribute/loop_owners.hpp"
#include "attribute/owners.hpp"
#include "attribute/propagated_owners.hpp"
#include "attribute/stream_senders.hpp"
#include "attribute/thread_timeline.hpp"
#include "base/id_map.hpp"
#include "base/ring.hpp"
#include "request/tracker.hpp"
#include "rules/rules.hpp"

namespace timesink::attribute {

/// From units, exchanges and what threads did to finished accounts: finds owners as exchanges are sent, and draws a unit's
/// account once event time has passed its end, so that everything that belongs to it has been told. Fed in event order; hands
/// accounts on in the order in which units ended; those of background work later, once it is known that they are over.
class Attribution final : public request::Listener {
public:
    /// `trusted`: the evidence by which owners are taken as known; what only others know is ambiguous.
    /// `rules`: the user's, ahead of the defaults; null: none. Not owned, must outlive this.
    explicit Attribution(AccountSink& sink, EvidenceSet trusted = EvidenceSet().set(), const rules::RuleSet* rules = nullptr)
        : sink_(sink), trusted_(trusted), rules_(rules) {}

    /// Of every event that concerns a thread, before net/ sees it.
    void on(const event::Call& call);
    void on(const event::OffCpu& off);
    void on(const event::Task& task);
    void on(const event::Lineage& lineage) { contexts_.on(lineage); }
    void on(const event::LoopPhase& phase);
    /// The phases of a process's event loops will be told ("timers", "immediates").
    void tells_phases(ProcessId process, bool timers, bool immediates);
    /// What other runs learned of routes, ahead of everything else; null: nothing.
    void given(std::shared_ptr<const std::vector<RouteModel>> models) { loops_.given(std::move(models)); }
    /// A process's command line, as one text.
    void runs_program(ProcessId process, std::string program) { loops_.runs(process, std::move(program)); }
    /// What was learned of routes whose owners were inferred.
    [[nodiscard]] std::vector<RouteModel> models() const { return loops_.models(); }
    /// What a process runs was told ("go", "python", …).
    void runs(ProcessId process, std::string_view runtime);
    void on(const event::Loss& loss);
    /// From now on, or until now, calls of the process are not told: its units in that time are left out.
    void untold(ProcessId process, bool begins);
    /// A process that was there before the attach; others tell of themselves by their fork.
    void on_process(ProcessId process, ProcessId parent) { propagated_.descends(process, parent); }
    /// No earlier event will follow: accounts of units that ended before are drawn, and the past that no unit needs is forgotten.
    void advance(Instant at);
    void finish();

    void began(const request::Unit& unit) override;
    void answering(const request::Unit& unit) override { contexts_.answering(unit); }
    void added(UnitId job, ExchangeId by, Instant at) override;
    void ended(request::Unit&& unit) override;
    void sent(const request::Exchange& exchange) override;
    void carried(const request::Carried& frame) override;
    void answered(request::Exchange&& exchange) override;
    void lost(ProcessId process, ThreadId thread) override;

private:
    /// In order of their ids.
    struct Entry {
        UnitId id;
        std::unique_ptr<LiveUnit> live;
    };
    struct Pending {
        Owner owner;
        UnitId callee{};      // at its other end
        UnitId propagated{};  // whose id it carries
        UnitId forwarded{};   // which a proxy hands on by it
        Instant sent{};
        bool undecided = false;
        bool awaits_sender = false;               // on a connection that several use at once: undecided until that is known
        bool with_helper = false;                 // sent by a helper thread: who woke whom may tell
        bool by_context = false;                  // what stands was decided by contexts
        std::unique_ptr<OwnedExchange> answered;  // waits for its owner
    };

    /// Null: it is not there, or its account has been drawn.
    [[nodiscard]] LiveUnit* find(UnitId id) const;
    [[nodiscard]] bool trusts(Evidence evidence) const { return trusted_.test(static_cast<std::size_t>(evidence)); }
    bool told_by_loop(const request::Exchange& exchange, const Owner& owner);
    [[nodiscard]] Owner weigh(const Pending& pending, OwnedExchange& owned) const;
    void settle(OwnedExchange&& owned, const Owner& owner);
    void doubt(const request::Exchange& exchange, const std::vector<UnitId>& candidates);
    void carry_out();
    void carry_out_hand_offs();
    void release(Pending& pending);
    [[nodiscard]] bool await_sender(const request::Exchange& exchange, Owner& owner);
    void give_sender_up(const request::Exchange& exchange, Pending& pending);
    void interchanges(ProcessId process);
    void read_answer(const request::Exchange& exchange, UnitId unit);
    void contradict_crossed();
    void contradict(const CrossedCalls::Call& call);
    void expect_background(const Owner& owner, Instant sent);
    void share_with_background(ProcessId process, Instant sent);
    LiveUnit& background_of(const Answered& request, Instant sent);
    void end_backgrounds(Instant at);
    void decide(ExchangeId exchange, const Owner& owner, bool by_context);
    void draw(LiveUnit& live);
    void note_use(LiveUnit& live);
    void measure_use(LiveUnit& live) const;
    [[nodiscard]] bool lost_within(Interval interval) const;

    AccountSink& sink_;
    EvidenceSet trusted_;
    const rules::RuleSet* rules_;
    Timelines timelines_;
    ConnectionPools pools_;
    Owners owners_;
    ContextOwners contexts_;
    StreamSenders senders_;
    std::vector<StreamSenders::Decision> senders_found_;
    PropagatedOwners propagated_;
    ForwardedOwners forwarded_;
    BlockingCalls blocking_;
    Edges edges_;
    Interchange interchange_;
    CrossedCalls crossed_;
    InsideCalls inside_;
    LoopOwners loops_;
    Backgrounds backgrounds_;
    JobOrigins job_origins_;
    std::vector<ContextOwners::Decision> decisions_;
    HandOffs hand_offs_;
    std::vector<HandOffs::Decision> handed_off_;
    std::vector<Entry> units_;
    Ring<LiveUnit*> ended_;  // in order of ending, accounts not yet drawn
    // Free for the next: a few thousand units come and go between two watermarks.
    std::vector<std::unique_ptr<LiveUnit>> spare_units_;
    std::vector<std::unique_ptr<ThreadUse>> spare_uses_;
    std::vector<std::unique_ptr<OwnedExchange>> spare_answered_;
    Account account_;                     // the one that is drawn; kept for its memory
    IdMap<ExchangeId, Pending> pending_;  // sent, not answered or not decided
    std::deque<Interval> losses_;
    Doubts doubts_;
    bool some_touched_by_loss_ = false;  // of units_
    std::vector<LiveUnit*> in_flight_;   // of doubt(); kept for its memory
    std::set<ProcessId> untold_;
    Instant now_{};  // of the latest event
};

}  // namespace timesink::attribute
