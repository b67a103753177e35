//! The kinds of differences that make schemas incompatible, by the names that tools know.
//!
//! Differences that never do (`TITLE_CHANGED`, `MAXIMUM_INCREASED`, `SUM_TYPE_EXTENDED`, …) are reported nowhere and
//! have no names here.

use postern_schema_core::Description;
use postern_schema_core::Incompatibility;
use postern_schema_core::Policy;

/// Declares the kinds: name, whether it is let pass under [`Policy::Lenient`], and how it is put into words.
macro_rules! kinds {
    ($($kind:ident $name:literal $lenient:literal $words:ident,)*) => {
        /// What is different.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Kind { $($kind,)* }

        impl Kind {
            fn name(self) -> &'static str {
                match self { $(Kind::$kind => $name,)* }
            }

            /// Whether the policy lets it pass.
            pub(super) fn passes(self, policy: Policy) -> bool {
                match policy {
                    Policy::Strict => false,
                    Policy::Lenient => match self { $(Kind::$kind => $lenient,)* },
                }
            }

            fn words(self) -> Words {
                match self { $(Kind::$kind => Words::$words,)* }
            }
        }
    };
}

kinds! {
    SchemaAdded "SCHEMA_ADDED" false None,
    TypeNarrowed "TYPE_NARROWED" false OtherType,
    TypeChanged "TYPE_CHANGED" false OtherType,
    MaxLengthAdded "MAX_LENGTH_ADDED" false NewKeyword,
    MaxLengthDecreased "MAX_LENGTH_DECREASED" false Less,
    MinLengthAdded "MIN_LENGTH_ADDED" false NewKeyword,
    MinLengthIncreased "MIN_LENGTH_INCREASED" false More,
    PatternAdded "PATTERN_ADDED" false NewKeyword,
    PatternChanged "PATTERN_CHANGED" false OtherValue,
    MaximumAdded "MAXIMUM_ADDED" false NewKeyword,
    MaximumDecreased "MAXIMUM_DECREASED" false Less,
    MinimumAdded "MINIMUM_ADDED" false NewKeyword,
    MinimumIncreased "MINIMUM_INCREASED" false More,
    ExclusiveMaximumAdded "EXCLUSIVE_MAXIMUM_ADDED" false NewKeyword,
    ExclusiveMaximumDecreased "EXCLUSIVE_MAXIMUM_DECREASED" false Less,
    ExclusiveMinimumAdded "EXCLUSIVE_MINIMUM_ADDED" false NewKeyword,
    ExclusiveMinimumIncreased "EXCLUSIVE_MINIMUM_INCREASED" false More,
    MultipleOfAdded "MULTIPLE_OF_ADDED" false NewKeyword,
    MultipleOfExpanded "MULTIPLE_OF_EXPANDED" false More,
    MultipleOfChanged "MULTIPLE_OF_CHANGED" false OtherValue,
    RequiredAttributeAdded "REQUIRED_ATTRIBUTE_ADDED" false NewKeyword,
    MaxPropertiesAdded "MAX_PROPERTIES_ADDED" false NewKeyword,
    MaxPropertiesDecreased "MAX_PROPERTIES_DECREASED" false Less,
    MinPropertiesAdded "MIN_PROPERTIES_ADDED" false NewKeyword,
    MinPropertiesIncreased "MIN_PROPERTIES_INCREASED" false More,
    AdditionalPropertiesRemoved "ADDITIONAL_PROPERTIES_REMOVED" true NewKeyword,
    AdditionalPropertiesNarrowed "ADDITIONAL_PROPERTIES_NARROWED" true Fewer,
    DependencyArrayAdded "DEPENDENCY_ARRAY_ADDED" false NewKeyword,
    DependencyArrayExtended "DEPENDENCY_ARRAY_EXTENDED" false Longer,
    DependencyArrayChanged "DEPENDENCY_ARRAY_CHANGED" false OtherValue,
    DependencySchemaAdded "DEPENDENCY_SCHEMA_ADDED" false NewKeyword,
    RequiredPropertyAddedToOpen "REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL" false Open,
    RequiredPropertyWithDefaultAddedToOpen "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL" true Open,
    OptionalPropertyAddedToOpen "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL" true Open,
    RequiredPropertyAddedToUnopen "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL" false Unopen,
    PropertyRemovedFromClosed "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL" true Closed,
    PropertyRemovedNotCovered "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL" true RemovedUncovered,
    PropertyAddedNotCovered "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL" true AddedUncovered,
    UnevaluatedPropertiesRemoved "UNEVALUATED_PROPERTIES_REMOVED" true NewKeyword,
    UnevaluatedPropertiesNarrowed "UNEVALUATED_PROPERTIES_NARROWED" true Fewer,
    MaxItemsAdded "MAX_ITEMS_ADDED" false NewKeyword,
    MaxItemsDecreased "MAX_ITEMS_DECREASED" false Less,
    MinItemsAdded "MIN_ITEMS_ADDED" false NewKeyword,
    MinItemsIncreased "MIN_ITEMS_INCREASED" false More,
    MaxContainsAdded "MAX_CONTAINS_ADDED" false NewKeyword,
    MaxContainsDecreased "MAX_CONTAINS_DECREASED" false Less,
    MinContainsAdded "MIN_CONTAINS_ADDED" false NewKeyword,
    MinContainsIncreased "MIN_CONTAINS_INCREASED" false More,
    UniqueItemsAdded "UNIQUE_ITEMS_ADDED" false NewKeyword,
    AdditionalItemsRemoved "ADDITIONAL_ITEMS_REMOVED" false NewKeyword,
    AdditionalItemsNarrowed "ADDITIONAL_ITEMS_NARROWED" false Fewer,
    UnevaluatedItemsRemoved "UNEVALUATED_ITEMS_REMOVED" false NewKeyword,
    UnevaluatedItemsNarrowed "UNEVALUATED_ITEMS_NARROWED" false Fewer,
    ItemAddedToOpen "ITEM_ADDED_TO_OPEN_CONTENT_MODEL" false Open,
    ItemRemovedFromClosed "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL" false Closed,
    ItemRemovedNotCovered "ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL" false RemovedUncovered,
    ItemAddedNotCovered "ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL" false AddedUncovered,
    EnumArrayNarrowed "ENUM_ARRAY_NARROWED" false Fewer,
    EnumArrayChanged "ENUM_ARRAY_CHANGED" false OtherType,
    CombinedTypeChanged "COMBINED_TYPE_CHANGED" false OtherType,
    ProductTypeExtended "PRODUCT_TYPE_EXTENDED" false Longer,
    SumTypeNarrowed "SUM_TYPE_NARROWED" false Fewer,
    CombinedSubschemasChanged "COMBINED_TYPE_SUBSCHEMAS_CHANGED" false OtherType,
    NotTypeExtended "NOT_TYPE_EXTENDED" false Longer,
    // Ours: others would compare for ever.
    TooComplex "SCHEMA_TOO_COMPLEX" false TooComplex,
}

#[derive(Clone, Copy, Debug)]
enum Words {
    None,
    NewKeyword,
    More,
    Less,
    OtherValue,
    Fewer,
    Longer,
    OtherType,
    Open,
    Unopen,
    Closed,
    RemovedUncovered,
    AddedUncovered,
    TooComplex,
}

/// One difference. The path is relative to the pair of schemas it was found in; it begins with a slash, or is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) kind: Kind,
    pub(super) path: String,
}

impl Difference {
    /// The same in the form that registries report. The path now begins at the root, `#/`.
    pub(super) fn to_incompatibility(&self) -> Incompatibility {
        let path = format!("#/{}", self.path.strip_prefix('/').unwrap_or_default());
        let words = |before: &str, between: &str, after: &str| {
            let place = |text: &str| text.replace("{}", &path);
            Description::ReaderWriter(place(before), place(between), place(after))
        };
        let description = match self.kind.words() {
            Words::None => Description::Plain(String::new()),
            Words::NewKeyword => words("The keyword at path '{}' in the ", " schema is not present in the ", " schema"),
            Words::More => words("The value at path '{}' in the ", " schema is more than its value in the ", " schema"),
            Words::Less => words("The value at path '{}' in the ", " schema is less than its value in the ", " schema"),
            Words::OtherValue => words("The value at path '{}' is different between the ", " and ", " schema"),
            Words::Fewer => words(
                "An array or combined type at path '{}' has fewer elements in the ",
                " schema than the ",
                " schema",
            ),
            Words::Longer => words(
                "An array or combined type at path '{}' has more elements in the ",
                " schema than the ",
                " schema",
            ),
            Words::OtherType => words("A type at path '{}' is different between the ", " schema and the ", " schema"),
            Words::Open => words(
                "The ",
                " schema has an open content model and has a property or item at path '{}' which is missing in the ",
                " schema",
            ),
            Words::Unopen => words(
                "The ",
                " schema has an unopen content model and has a required property at path '{}' which is missing in the ",
                " schema",
            ),
            Words::Closed => words(
                "The ",
                " has a closed content model and is missing a property or item present at path '{}' in the ",
                " schema",
            ),
            Words::RemovedUncovered => words(
                "A property or item is missing in the ",
                " schema but present at path '{}' in the ",
                " schema and is not covered by its partially open content model",
            ),
            Words::AddedUncovered => words(
                "The ",
                " schema has a property or item at path '{}' which is missing in the ",
                " schema and is not covered by its partially open content model",
            ),
            Words::TooComplex => words("The ", " and the ", " schema are too large to be compared"),
        };
        Incompatibility::in_json_schema(self.kind.name(), path.clone(), description)
    }
}
