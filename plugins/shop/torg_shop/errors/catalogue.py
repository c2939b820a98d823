"""What the catalogue refuses. Each class docstring is the page behind `type`."""

from torg.errors import ConflictError, FieldProblem, InvalidError
from torg.i18n import gettext


class CategoryUnknownError(InvalidError):
    """The category that was named is not there, or was removed."""

    code = "category_unknown"
    title = "No such category"
    detail = "There is no category {category_id}."
    public = ("category_id",)


class CategoryCycleError(ConflictError):
    """A category cannot be below itself, nor below one that is below it."""

    code = "category_cycle"
    title = "A category below itself"
    detail = "A category cannot be below itself."


class CategoryInUseError(ConflictError):
    """A category that has products or further categories cannot be removed: move these first."""

    code = "category_in_use"
    title = "The category is in use"
    detail = "The category has products or further categories."


class SlugTakenError(ConflictError):
    """Another category is addressed by this word already."""

    code = "slug_taken"
    title = "Taken already"
    detail = "Another category has the slug {slug}."
    public = ("slug",)


class SkuTakenError(ConflictError):
    """Another product, perhaps a removed one, has this number of the stock keeper already."""

    code = "sku_taken"
    title = "Taken already"
    detail = "Another product has the SKU {sku}."
    public = ("sku",)


class TagTakenError(ConflictError):
    """There is a tag of this name already."""

    code = "tag_taken"
    title = "Taken already"
    detail = "There is a tag {name} already."
    public = ("name",)


class StockPromisedError(ConflictError):
    """There cannot be fewer than are promised to orders and carts."""

    code = "stock_promised"
    title = "Promised already"
    detail = "{reserved} are promised to orders."
    public = ("reserved",)


class PictureUnreadableError(InvalidError):
    """The file is no PNG, JPEG, WebP or GIF that can be shown, or it is too large."""

    code = "picture_unreadable"
    title = "No usable picture"
    detail = "Send a PNG, JPEG, WebP or GIF of at most 10 MiB and 25 million pixels."


class UploadUnknownError(InvalidError):
    """No file waits under this key: nothing was sent yet, its time is over, or it was used."""

    code = "upload_unknown"
    title = "No such upload"
    detail = "No file waits under this key."

    def __init__(self) -> None:
        """Point at the key."""
        problem = FieldProblem("/key", "upload_unknown", gettext("No file waits under this key."))
        super().__init__(errors=[problem])


class TooManyPicturesError(ConflictError):
    """The product has as many pictures as it may have: remove one first."""

    code = "too_many_pictures"
    title = "Too many pictures"
    detail = "The product has {number} pictures already."
    public = ("number",)


class TableUnreadableError(InvalidError):
    """The file is no CSV in UTF-8 and no XLSX workbook, lacks the column `sku`, or is too long."""

    code = "table_unreadable"
    title = "No usable table"
    detail = "The table cannot be read: {reason}."
    public = ("reason",)
