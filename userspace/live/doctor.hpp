#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace timesink::live {

enum class Verdict : unsigned char {
    good,     ///< works, and was seen to work
    reduced,  ///< timesink runs without it; `costs` says what the report lacks
    missing,  ///< timesink cannot run without it
};

/// One thing looked at: a property of the host, or a probe that was loaded, attached, fired and seen to write its record.
struct Finding {
    std::string subject;  ///< "kernel", "BTF", "probe sk_data_ready (tp_btf)"
    Verdict verdict = Verdict::good;
    std::string found;  ///< what was found, or why it does not work
    std::string costs;  ///< what its absence costs in the report; empty when good
    std::string mend;   ///< what to do about it; empty when good
};

struct Examination {
    std::vector<Finding> findings;
    [[nodiscard]] bool usable() const;  ///< nothing is missing
};

/// Looks at the host and attaches to a child of its own that makes every probe fire. Takes about a second. `fix`: mounts tracefs
/// and bpffs where they are not mounted (timesink itself needs neither; other tools do); changes nothing otherwise.
Examination examine_host(bool fix);

}  // namespace timesink::live
