#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/lines.hpp"

namespace timesink::proto::redis {

/// Gets the parts of a value as they go by.
class ValueSink {
public:
    virtual ~ValueSink() = default;
    /// A header line was read: type and what follows it, without line end. `depth` 0: the value itself, 1: its elements, …
    /// Attribute maps ('|') and what is in them are not told.
    virtual void item(char type, std::string_view text, std::size_t depth) = 0;
    /// Bytes of the string whose item() came last, in one or more pieces; not called for what was not captured.
    virtual void string_bytes(std::span<const std::byte> bytes, std::size_t depth) = 0;
    virtual void string_end(std::size_t depth) = 0;
    /// Who wants to know where things stand: a line of `length` bytes with its end, which stands ahead of byte `end` of those
    /// given to take(); also within attribute maps. Comes before its item().
    virtual void line(std::string_view text, std::size_t end, std::size_t length) { (void)text, (void)end, (void)length; }
    /// A byte of the end behind a string.
    virtual void ending(std::size_t offset, char byte) { (void)offset, (void)byte; }
};

/// Follows one RESP value, nested or not, to its end; keeps nothing of it but the counts of the levels that are open.
///
/// value   = simple | string | aggregate | attribute value
/// simple  = one of + - : , ( # _ and a line
/// string  = one of $ ! =, length, CRLF, bytes, CRLF | "$-1" | "$?" { ";" length CRLF bytes CRLF } ";0" CRLF
/// aggregate = one of * ~ > %, count (pairs for %), CRLF, values | "*-1" | one of * ~ % and "?", values, "." CRLF
/// attribute = "|" pairs CRLF, values
class Value {
public:
    static constexpr std::size_t kDeepest = 64;  ///< levels; clients and servers nest a handful

    void begin();
    /// Returns how many bytes belong to it.
    std::size_t take(std::span<const std::byte> bytes, ValueSink& sink);
    /// `bytes` were not captured; returns how many are the value's for sure, as far as they lie in a string.
    std::uint64_t skip(std::uint64_t bytes, ValueSink& sink);
    /// Of the line that is not complete, what there is; empty: none is read.
    [[nodiscard]] std::string_view partial_line() const { return state_ == State::line ? line_.text() : std::string_view{}; }
    [[nodiscard]] bool done() const { return state_ == State::done; }
    [[nodiscard]] bool invalid() const { return state_ == State::invalid; }
    [[nodiscard]] bool untouched() const { return state_ == State::line && line_.length() == 0 && levels_.empty(); }

private:
    enum class State : std::uint8_t { done, line, string, string_end, invalid };
    struct Level {
        std::uint64_t remaining;
        bool streamed;   ///< until "."
        bool attribute;  ///< is not itself an element
    };
    void header(std::string_view line, ValueSink& sink);
    void string_header(char type, std::string_view text, ValueSink& sink);
    void aggregate_header(char type, std::string_view text, ValueSink& sink);
    void string_done();
    void element_done();
    [[nodiscard]] std::size_t depth() const { return levels_.size() - attributes_; }
    [[nodiscard]] bool told() const { return attributes_ == 0; }

    State state_ = State::done;
    LineReader line_;
    std::uint64_t remaining_ = 0;  ///< of the string
    unsigned line_end_ = 0;        ///< bytes of the CRLF behind a string, still to come
    bool chunked_ = false;         ///< within "$?"
    std::vector<Level> levels_;
    std::size_t attributes_ = 0;  ///< of levels_: attribute maps and what is within them
};

}  // namespace timesink::proto::redis
