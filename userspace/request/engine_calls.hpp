#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "event/event.hpp"
#include "request/statement.hpp"
#include "request/tracker.hpp"

namespace timesink::request {

/// Makes exchanges of what an embedded engine (SQLite) executes in the process: without a connection, and told from begin to end
/// by the engine's own functions, so there are no bytes to parse and nothing to pair. Preparations are housekeeping.
///
/// Bounded: statements that nothing executed while kMostNames others came up are forgotten, at the latest when twice as many
/// have; at most kMostOpen executions are open.
class EngineCalls {
public:
    static constexpr std::size_t kMostNames = 16384;
    static constexpr std::size_t kMostOpen = 4096;
    static constexpr const char* kOlder = "(prepared before the attach)";

    /// `tracker` numbers exchanges; both outlive this.
    EngineCalls(Listener& listener, Tracker& tracker) : listener_(listener), tracker_(tracker) {}

    void on(const event::EngineName& name);
    void on(const event::EngineCall& call);
    /// The process has ended, or runs another program.
    void ended(ProcessId process);
    /// The steps of the process go untold from now on: the ends of what is open will not be told.
    void paused(ProcessId process) { give_up(process, "not seen to its end"); }
    /// Events were lost: what is open may be over.
    void lost();
    void finish();

private:
    struct Statement {
        std::shared_ptr<const StatementShape> shape;
        std::uint64_t database = 0;
    };
    using Statements = std::map<std::uint64_t, Statement>;
    struct Database {
        std::string name;  ///< of its file, without the path; empty: not known
        bool in_transaction = false;
    };
    struct Open {
        Exchange exchange;
        std::uint64_t database = 0;
    };

    void begin(const event::EngineCall& call);
    void end(const event::EngineCall& call);
    void prepared(const event::EngineName& name);
    [[nodiscard]] const Statement* find(std::uint64_t number);
    void keep(std::uint64_t number, Statement statement);
    std::shared_ptr<const StatementShape> shape_of(const event::EngineName& name);
    void name(Exchange& exchange, const Statement* statement);
    void note_transaction(Open& open);
    void give_up(ProcessId process, const char* why);

    Listener& listener_;
    Tracker& tracker_;
    Statements young_;  ///< by their numbers; used since the last of those that came up before
    Statements old_;
    std::map<std::uint64_t, std::shared_ptr<const StatementShape>> shapes_;  ///< by fingerprint: programs prepare few texts often
    std::map<std::uint64_t, Database> databases_;                            ///< by their numbers, which grow
    std::map<std::uint64_t, Open> open_;                                     ///< by the execution's number
};

}  // namespace timesink::request
