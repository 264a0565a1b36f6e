#pragma once

#include <ostream>
#include <string>

#include "attribute/account.hpp"
#include "base/result.hpp"

namespace timesink::report {

/// Writes units and exchanges as JSON lines while they finish: first a line with the schema's version, then each unit followed by
/// its exchanges, and exchanges of nobody as they come. docs/export-jsonl.md describes the members. Memory: one line.
/// Owned by the command; the stream must outlive it. After the stream failed (full disk) nothing more is written.
class JsonLines final : public attribute::AccountSink {
public:
    static constexpr int kSchemaVersion = 1;

    JsonLines(std::ostream& out, std::string_view timesink_version);

    void account(const attribute::Account& account) override;
    void stray(const attribute::OwnedExchange& exchange) override;
    /// To be called at the end: whether everything was written. Error: the stream failed; says after how many lines.
    Status finish();

private:
    void write_line();
    void exchange(const attribute::OwnedExchange& exchange);

    std::ostream& out_;
    std::string line_;
    std::uint64_t lines_ = 0;
};

}  // namespace timesink::report
