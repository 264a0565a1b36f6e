#include "proto/memcached/redaction.hpp"

#include <algorithm>

#include "proto/memcached/command.hpp"

namespace timesink::proto::memcached {
namespace {

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    while (!line.empty()) {
        const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
        line.remove_prefix(begin);
        const std::string_view word = line.substr(0, line.find(' '));
        if (!word.empty()) {
            words.push_back(word);
        }
        line.remove_prefix(word.size());
    }
    return words;
}

bool is_answer_word(std::string_view word) {
    return word.size() <= 16 && word.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == std::string_view::npos;
}

}  // namespace

std::vector<Part> request_parts(std::string_view line) {
    const auto command = command_of(line);
    if (!command) {
        return {};
    }
    std::vector<Part> parts;
    std::size_t index = 0;
    const bool meta = command->answer == Answer::meta;
    const bool keys = command->answer == Answer::values;
    // How much is added is a value, and behind it nothing is read but "noreply".
    const bool adds = command->name == "incr" || command->name == "decr";
    for (const std::string_view word : words_of(line)) {
        const bool key = keys ? index >= (command->name.starts_with("gat") ? 2U : 1U) : index == 1 && !command->key.empty();
        const bool says = index == 0 || word == "noreply" || word == "q" || (is_number(word) && !adds);
        if (key) {
            parts.push_back({word, Kept::key});
        } else if (says) {
            parts.push_back({word, Kept::structure});
        } else if (meta) {
            parts.push_back({word.substr(0, 1), Kept::structure});
        }
        ++index;
    }
    return parts;
}

std::vector<Part> answer_parts(std::string_view line) {
    std::vector<Part> parts;
    const std::vector<std::string_view> words = words_of(line);
    if (words.empty() || !is_answer_word(words.front())) {
        return parts;
    }
    parts.push_back({words.front(), Kept::structure});
    if (words.front() == "VALUE" || words.front() == "VA") {
        const std::size_t key = words.front() == "VALUE" ? 1 : 0;
        for (std::size_t at = 1; at < words.size(); ++at) {
            if (at == key) {
                parts.push_back({words[at], Kept::key});
            } else if (is_number(words[at])) {
                parts.push_back({words[at], Kept::structure});
            }
        }
    }
    return parts;
}

void keep_line(const LineReader& line, Direction direction, std::uint64_t end, const std::vector<Part>& parts, Sink& sink) {
    if (!sink.redacts()) {
        return;
    }
    const std::string_view text = line.text();
    const std::uint64_t begin = end - line.length();
    for (std::size_t at = text.find(' '); at != std::string_view::npos; at = text.find(' ', at + 1)) {
        sink.keep(direction, begin + at, text.substr(at, 1), Kept::structure);
    }
    for (const Part& part : parts) {
        sink.keep(direction, begin + static_cast<std::uint64_t>(part.text.data() - text.data()), part.text, part.kind);
    }
    const bool with_cr = !line.cut() && line.length() == text.size() + 2;
    const std::string_view ending = with_cr ? "\r\n" : "\n";
    sink.keep(direction, end - ending.size(), ending, Kept::structure);
}

}  // namespace timesink::proto::memcached
