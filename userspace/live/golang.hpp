#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "live/mappings.hpp"
#include "runtime/go.hpp"
#include "timesink/abi/attach.h"

namespace timesink::live {

/// What was found out about a process whose program is written in Go.
struct GoProcess {
    runtime::GoState state = runtime::GoState::absent;
    std::string version;
    std::string reason;
    // when followed
    ts_go config{};
    std::optional<MappedFunction> maker;         ///< see runtime::Go; empty: the program has no such function
    std::optional<MappedFunction> http_request;  ///< ditto
    std::optional<MappedFunction> http_writer;   ///< ditto
    bool has_tls = false;
    bool tls_by_reader = false;
    std::optional<MappedFunction> tls_read;      ///< see runtime::GoTls; these four are there together, or none is
    std::optional<MappedFunction> tls_copies;    ///< ditto
    std::optional<MappedFunction> tls_write;     ///< ditto
    std::optional<MappedFunction> tls_encrypts;  ///< ditto
};

/// Reads the file of the program that the process runs, and its memory. `local_pid`: where timesink runs.
GoProcess find_go(std::uint32_t local_pid);

}  // namespace timesink::live
