package call

import "github.com/linkspan/linkspan/catalog"

// Pagination returns a provider's defaults for reading lists page by page, by the
// names of the public contract; nil, which is null, when it has none.
func Pagination(provider *catalog.Provider) any {
	if provider == nil || provider.API == nil || provider.API.Paginate == nil {
		return nil
	}
	p := provider.API.Paginate
	out := map[string]any{"type": p.Kind}
	for name, value := range map[string]string{
		"response_path": p.ItemsPath, "limit_name_in_request": p.LimitParam,
		"cursor_name_in_request": p.CursorParam, "cursor_path_in_response": p.CursorPath,
		"link_rel_in_response_header": p.LinkRel, "link_path_in_response_body": p.LinkPath,
		"offset_name_in_request": p.OffsetParam,
	} {
		if value != "" {
			out[name] = value
		}
	}
	if p.OffsetStart != nil {
		out["offset_start_value"] = *p.OffsetStart
	}
	switch p.OffsetStep {
	case "page":
		out["offset_calculation_method"] = "per-page"
	case "items":
		out["offset_calculation_method"] = "by-response-size"
	}
	return out
}
