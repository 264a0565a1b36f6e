#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/parser.hpp"

namespace timesink::proto::http1 {

/// What the header fields of one message say about its framing, and the few of them that the analysis keeps.
class Fields {
public:
    explicit Fields(Direction direction) : direction_(direction) {}

    /// One line of the header block, without its end. A line that begins with space or tab continues the one before (obs-fold,
    /// RFC 9112 section 5.2).
    void line(std::string_view text);
    /// The block is over: the last line counts too.
    void finish() { settle(); }
    void clear();
    [[nodiscard]] Direction direction() const { return direction_; }

    /// How much of the value of the field of this name is read: what is not, is masked when a run is recorded. The table behind
    /// it is the list of what recordings hold of headers: no secrets, no persons.
    enum class Read : std::uint8_t { nothing, first_word, all };
    static Read read_of(std::string_view name);

    enum class Length : std::uint8_t { none, known, invalid };
    [[nodiscard]] Length length() const { return length_; }
    [[nodiscard]] std::uint64_t content_length() const { return content_length_; }
    enum class Transfer : std::uint8_t { none, chunked, other };
    [[nodiscard]] Transfer transfer() const { return transfer_; }
    [[nodiscard]] const std::string& host() const { return host_; }
    [[nodiscard]] const std::string& upgrade() const { return upgrade_; }
    /// Swaps them with `attributes`, whose memory is used again.
    void take_attributes(Attributes& attributes) {
        attributes.swap(attributes_);
        attributes_.clear();
    }

private:
    enum class Meaning : std::uint8_t;
    struct Known;
    void settle();
    void length_field(std::string_view value);
    void transfer_field(std::string_view value);
    /// `attribute`: its name, a constant; empty: none. `secret`: only the value's first word may be kept.
    void keep(std::string_view attribute, std::string_view value, bool secret);

    Direction direction_;
    std::string pending_;           ///< a line that may yet be continued
    const Known* known_ = nullptr;  ///< its field, where its name was in its first line
    Length length_ = Length::none;
    std::uint64_t content_length_ = 0;
    Transfer transfer_ = Transfer::none;
    std::string host_;
    std::string upgrade_;
    Attributes attributes_;
};

}  // namespace timesink::proto::http1
