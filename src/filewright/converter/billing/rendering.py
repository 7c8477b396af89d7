"""An invoice as a page of HTML; the converter makes the document of it, as it would of anybody's page."""

from __future__ import annotations

from html import escape
from string import Template

from filewright.converter.billing.models import InvoiceRow
from filewright.converter.billing.pricing import shown

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Invoice $number</title>
<style>
@page { size: A4; margin: 25mm 20mm }
body { font: 11pt/1.5 "Liberation Sans", sans-serif; color: #1b1b1b }
h1 { font-size: 20pt; margin: 0 0 12mm }
dl { display: grid; grid-template-columns: 35mm 1fr; margin: 0 0 12mm }
dt { color: #666 }
dd { margin: 0 }
table { width: 100%; border-collapse: collapse }
th { text-align: left; border-bottom: 1pt solid #1b1b1b }
td { border-bottom: .5pt solid #ccc; vertical-align: top }
th, td { padding: 2mm 0 }
.n { text-align: right; white-space: nowrap; padding-left: 6mm }
tfoot td { border: 0; font-weight: bold }
</style>
</head>
<body>
<h1>Invoice $number</h1>
<dl>
<dt>Date</dt><dd>$date</dd>
<dt>Month</dt><dd>$month</dd>
<dt>Account</dt><dd>$account</dd>
</dl>
<table>
<thead><tr><th>What</th><th class="n">Quantity</th><th class="n">Price</th><th class="n">Amount</th></tr></thead>
<tbody>
$lines
</tbody>
<tfoot><tr><td colspan="3">Total</td><td class="n">$total</td></tr></tfoot>
</table>
</body>
</html>
""")
_LINE = Template(
    '<tr><td>$what</td><td class="n">$quantity</td><td class="n">$price</td><td class="n">$amount</td></tr>'
)


def page(row: InvoiceRow, number: str) -> bytes:
    """The whole page. Whatever is in the invoice is text in it."""
    lines = "\n".join(
        _LINE.substitute(
            what=escape(line["description"]),
            quantity=f"{line['quantity']:,}",
            price=escape(f"{line['unit_price']} {row.currency}"),
            amount=escape(shown(line["amount"], row.currency)),
        )
        for line in row.lines
    )
    text = _PAGE.substitute(
        number=escape(number),
        date=f"{row.created_at:%Y-%m-%d}",
        month=escape(row.month),
        account=escape(row.tenant),
        lines=lines,
        total=escape(shown(row.total, row.currency)),
    )
    return text.encode()
