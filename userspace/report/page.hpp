#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "attribute/account.hpp"

namespace timesink::report {

struct TextOptions {
    std::size_t width = 100;  ///< columns; less than 40 counts as 40
    std::size_t height = 40;  ///< lines of the first screen: decides how many routes are listed
    bool ascii = false;       ///< the locale is not UTF-8, or --ascii
    bool colour = false;      ///< stdout is a terminal and NO_COLOR is not set
    std::string recording{};  ///< name of the file, for the hint in the last line; empty: no hint
    std::string service{};    ///< only this one: its name, or ":8000"; empty: all
    std::string route{};      ///< only this one: "GET /orders/{id}", or "/orders/{id}" where that is enough
};

enum class Paint : unsigned char { plain, heading, faint, database, provider, transfer, overhead, warning };
Paint paint_of(attribute::Bucket bucket);

/// Cuts a sentence into lines of at most `width` columns, at blanks; longer words are cut off.
std::vector<std::string> wrap(const std::string& text, std::size_t width);

/// A text report in the making: lines of at most `width` columns, colours, and the ASCII fallback. All layout is done with
/// single-column characters that have a single-column ASCII stand-in, so that both look alike.
class Page {
public:
    explicit Page(const TextOptions& options);

    [[nodiscard]] std::size_t width() const { return width_; }
    [[nodiscard]] std::size_t lines() const { return lines_; }
    [[nodiscard]] std::string safe(std::string_view text) const;  ///< terminal_safe for this page
    [[nodiscard]] std::string painted(Paint paint, std::string_view text) const;

    void line(std::string_view text = {});  ///< already laid out and painted
    void heading(std::string_view text);
    /// Items one after the other, broken between two of them where the line is full; the first after `lead`, the following lines
    /// indented by its width.
    void flow(std::string_view lead, const std::vector<std::string>& items, std::string_view separator);

    [[nodiscard]] std::string take();

private:
    TextOptions options_;
    std::size_t width_;
    std::size_t lines_ = 0;
    std::string text_;
};

}  // namespace timesink::report
