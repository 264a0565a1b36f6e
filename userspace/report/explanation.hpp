#pragma once

#include <map>
#include <string>
#include <vector>

#include "attribute/account.hpp"

namespace timesink::report {

/// Why each exchange belongs to one unit: receives all accounts, keeps that unit's, and what may be its as well. Owned by the
/// command. Memory: one unit, at most kMostDoubtful exchanges of which it is the likeliest owner but not certain enough.
class Explanation final : public attribute::AccountSink {
public:
    static constexpr std::size_t kMostDoubtful = 1000;

    explicit Explanation(UnitId unit) : unit_(unit) {}

    void account(const attribute::Account& account) override;
    void stray(const attribute::OwnedExchange& exchange) override;

    [[nodiscard]] bool found() const { return found_; }
    /// Precondition: found(). Ends with a line feed. Names off the wire are made safe for terminals.
    [[nodiscard]] std::string text() const;

private:
    [[nodiscard]] std::string line(const attribute::OwnedExchange& owned) const;

    UnitId unit_;
    bool found_ = false;
    request::Unit request_;
    std::vector<attribute::OwnedExchange> owned_;
    std::vector<attribute::OwnedExchange> doubtful_;
};

}  // namespace timesink::report
