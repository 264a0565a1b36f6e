#include "report/page.hpp"

#include <algorithm>
#include <array>

#include "report/safe_text.hpp"

namespace timesink::report {

namespace {

constexpr std::size_t kNarrowest = 40;

struct StandIn {
    std::string_view glyph;
    char ascii;
};
constexpr std::array<StandIn, 17> kStandIns = {{{"─", '-'},
                                                {"│", '|'},
                                                {"├", '|'},
                                                {"└", '`'},
                                                {"█", '#'},
                                                {"▌", '#'},
                                                {"·", '-'},
                                                {"×", 'x'},
                                                {"–", '-'},
                                                {"…", '~'},
                                                {"µ", 'u'},
                                                {"→", '>'},
                                                {"∥", '='},
                                                {"≥", '>'},
                                                {"▶", '>'},
                                                {"“", '"'},
                                                {"”", '"'}}};

std::string in_ascii(const std::string& text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
        if (static_cast<unsigned char>(text[i]) < 0x80) {
            out += text[i++];
            continue;
        }
        const auto found = std::find_if(kStandIns.begin(), kStandIns.end(),
                                        [&](const StandIn& each) { return text.compare(i, each.glyph.size(), each.glyph) == 0; });
        out += found == kStandIns.end() ? '?' : found->ascii;
        ++i;
        while (i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0U) == 0x80) {
            ++i;
        }
    }
    return out;
}

}  // namespace

Paint paint_of(attribute::Bucket bucket) {
    constexpr std::array<Paint, attribute::kBucketCount> kPaints = {Paint::database, Paint::provider, Paint::transfer,
                                                                    Paint::overhead};
    return kPaints[static_cast<std::size_t>(bucket)];
}

Page::Page(const TextOptions& options) : options_(options), width_(std::max(options.width, kNarrowest)) {}

std::string Page::safe(std::string_view text) const {
    return terminal_safe(text, options_.ascii);
}

std::string Page::painted(Paint paint, std::string_view text) const {
    if (!options_.colour || paint == Paint::plain || text.empty()) {
        return std::string(text);
    }
    constexpr std::array<std::string_view, 8> kCodes = {"0", "1", "2", "34", "35", "36", "33", "31"};
    return "\x1b[" + std::string(kCodes[static_cast<std::size_t>(paint)]) + "m" + std::string(text) + "\x1b[0m";
}

std::vector<std::string> wrap(const std::string& text, std::size_t width) {
    std::vector<std::string> lines;
    std::string line;
    std::size_t at = 0;
    while (at <= text.size()) {
        const std::size_t blank = std::min(text.find(' ', at), text.size());
        const std::string word = cut(text.substr(at, blank - at), width);
        if (!line.empty() && display_width(line) + 1 + display_width(word) > width) {
            lines.push_back(std::move(line));
            line.clear();
        }
        line += (line.empty() ? "" : " ") + word;
        at = blank + 1;
    }
    lines.push_back(line);
    return lines;
}

void Page::line(std::string_view text) {
    std::string_view trimmed = text;
    while (!trimmed.empty() && trimmed.back() == ' ') {
        trimmed.remove_suffix(1);
    }
    text_ += trimmed;
    text_ += '\n';
    ++lines_;
}

void Page::heading(std::string_view text) {
    line(painted(Paint::heading, text));
}

void Page::flow(std::string_view lead, const std::vector<std::string>& items, std::string_view separator) {
    const std::size_t indent = display_width(lead);
    std::string current;
    bool first = true;
    const auto flush = [&] {
        line((first ? painted(Paint::heading, lead) : std::string(indent, ' ')) + current);
        first = false;
        current.clear();
    };
    const std::size_t room = width_ > indent ? width_ - indent : 1;
    for (const std::string& item : items) {
        if (!current.empty() && display_width(current) + display_width(separator) + display_width(item) > room) {
            flush();
        }
        current += current.empty() ? "" : separator;
        // Only an item longer than a line is broken within.
        const std::vector<std::string> parts = wrap(item, room);
        for (std::size_t i = 0; i < parts.size(); ++i) {
            if (i > 0) {
                flush();
            }
            current += parts[i];
        }
    }
    flush();
}

std::string Page::take() {
    return options_.ascii ? in_ascii(text_) : std::move(text_);
}

}  // namespace timesink::report
