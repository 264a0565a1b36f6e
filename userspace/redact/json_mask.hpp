#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "redact/digest.hpp"

namespace timesink::redact {

/// Masks JSON of the APIs of language models as it goes by: its structure stays, and of names and values those that
/// genai::read_facts reads, where they look like names or numbers. Texts become as long a text, numbers other numbers, truth
/// values null. Owned by whoever follows a body. Memory: a few hundred bytes.
class JsonMask {
public:
    /// A byte of the stream that may be recorded so.
    using Put = std::function<void(std::uint64_t position, char byte)>;

    /// `secret`: texts begin with a digest by it, so that equal bodies stay equal and others do not become so; null: not wanted.
    explicit JsonMask(const Secret* secret) : secret_(secret), text_digest_(secret != nullptr ? *secret : Secret{}) {}

    void take(std::string_view piece, std::uint64_t position, const Put& put);
    /// As if the document had begun so: "usage" for the value of that name.
    void begin(std::string_view name);

private:
    enum class State : std::uint8_t { value, text, escape, number, word, broken };
    static constexpr std::size_t kDeepest = 64;
    static constexpr std::size_t kLongest = 128;  // of a text that may stay

    void byte(char c, std::uint64_t position, const Put& put);
    void structure(char c, std::uint64_t position, const Put& put);
    void text_over(const Put& put);
    [[nodiscard]] std::string path() const;

    const Secret* secret_;
    State state_ = State::value;
    std::vector<std::string> names_;  ///< of what is open; empty: an array's element, or a name that nobody knows
    std::vector<bool> objects_;
    std::string pending_;  ///< the name whose value comes
    bool key_next_ = false;
    bool shown_ = false;                 ///< of the number or word in progress
    std::string word_;                   ///< as it is replaced, what is left of it
    std::string text_;                   ///< of the text in progress, first bytes
    std::vector<std::uint64_t> places_;  ///< of these
    std::uint64_t text_bytes_ = 0;
    KeyedDigest text_digest_;
};

/// Behind bytes that were not captured: what genai finds there by name alone, without knowing where in the document it is.
void take_end(std::string_view piece, std::uint64_t position, const JsonMask::Put& put);

}  // namespace timesink::redact
