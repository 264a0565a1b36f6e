#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace timesink::golden {

/// A word of a script line; `string`: it was in quotes, and its escapes are resolved.
struct Word {
    std::string text;
    bool string = false;
};

/// Thrown inside the parser only: what is wrong with the line. parse_script adds its number.
struct Mistake {
    std::string what;
};

std::vector<Word> split(std::string_view line);
/// Milliseconds with up to 6 decimals, exactly, as ns.
std::uint64_t milliseconds(std::string_view text);
std::int64_t integer(std::string_view text);

/// The words of a line, taken one by one.
class Words {
public:
    explicit Words(std::string_view line) : words_(split(line)) {}
    [[nodiscard]] bool done() const { return at_ == words_.size(); }
    [[nodiscard]] const Word* peek() const { return done() ? nullptr : &words_[at_]; }
    Word take(const char* what) {
        if (done()) {
            throw Mistake{std::string("expected ") + what + " at the end of the line"};
        }
        return words_[at_++];
    }
    /// Takes the next word if it is this one.
    bool accept(std::string_view text) {
        if (done() || words_[at_].string || words_[at_].text != text) {
            return false;
        }
        ++at_;
        return true;
    }
    void expect(std::string_view text) {
        if (!accept(text)) {
            throw Mistake{"expected '" + std::string(text) + "'" + (done() ? "" : " instead of '" + words_[at_].text + "'")};
        }
    }
    std::int64_t number(const char* what) { return integer(take(what).text); }
    std::uint64_t time(const char* what) { return milliseconds(take(what).text); }
    std::string quoted(const char* what) {
        const Word word = take(what);
        if (!word.string) {
            throw Mistake{std::string("expected ") + what + " in quotes instead of '" + word.text + "'"};
        }
        return word.text;
    }

private:
    std::vector<Word> words_;
    std::size_t at_ = 0;
};

/// The bytes of a payload; empty optional when no part of one stands next.
std::optional<std::string> take_payload(Words& words);

}  // namespace timesink::golden
