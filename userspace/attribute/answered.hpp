#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "event/event.hpp"

namespace timesink::attribute {

struct LiveUnit;

/// A unit that has been answered, as the account of what it left behind needs it: by then its own account has been drawn. Shared
/// by the contexts in which it ran, so it is there for as long as anything may be sent in them, and no longer.
struct Answered {
    UnitId id{};
    SocketId socket{};
    ProcessId process{};
    ThreadId thread{};       ///< that read it
    ThreadId answered_by{};  ///< that wrote the end of its response
    Instant activated{};     ///< as LiveUnit::activated
    Instant end{};
    std::string protocol;
    std::string method;
    std::string path;
    std::string route;
    event::Endpoint server;
    std::uint32_t network_namespace = 0;
};
using AnsweredRef = std::shared_ptr<const Answered>;

/// Null: its response was not completed, so what goes on is not known to come after it.
AnsweredRef answered(const LiveUnit& live);

}  // namespace timesink::attribute
