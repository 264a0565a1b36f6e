#include "report/table.hpp"

#include <algorithm>

#include "report/numbers.hpp"
#include "report/safe_text.hpp"

namespace timesink::report {

void Table::add_numbers(std::string title, const std::vector<std::string>& numbers) {
    columns_.push_back({std::move(title), align_points(numbers), true});
}

std::vector<std::string> Table::lines(std::size_t width) const {
    std::vector<std::size_t> widths;
    std::size_t rows = 0;
    for (const Column& column : columns_) {
        std::size_t widest = display_width(column.title);
        for (const std::string& cell : column.cells) {
            widest = std::max(widest, display_width(cell));
        }
        widths.push_back(widest);
        rows = std::max(rows, column.cells.size());
    }
    constexpr std::size_t kGap = 2;
    std::size_t shown = columns_.size();
    const auto others = [&] {
        std::size_t sum = 0;
        for (std::size_t i = 0; i < shown; ++i) {
            sum += i == flexible_ ? 0 : widths[i] + kGap;
        }
        return sum;
    };
    const std::size_t wanted = std::min(least_, widths[flexible_]);
    while (shown > flexible_ + 1 && others() + wanted > width) {
        --shown;
    }
    const std::size_t room = width > others() ? width - others() : 1;
    widths[flexible_] = std::min(widths[flexible_], room);

    std::vector<std::string> out(rows + 1);
    for (std::size_t i = 0; i < shown; ++i) {
        const Column& column = columns_[i];
        for (std::size_t row = 0; row <= rows; ++row) {
            const std::string empty;
            const std::string& cell = row == 0 ? column.title : row - 1 < column.cells.size() ? column.cells[row - 1] : empty;
            const std::string fitted = cut(cell, widths[i]);
            out[row] += (i == 0 ? "" : std::string(kGap, ' ')) +
                        (column.right ? pad_left(fitted, widths[i]) : pad_right(fitted, widths[i]));
        }
    }
    return out;
}

}  // namespace timesink::report
