-- What to say, and when.  Delays are of seconds here, so that one can watch.

INSERT INTO nudge.templates (template_id, subject, body_text, sender_name, sender_address) VALUES
('cart_saved', '{{ user.profile.name | default: "Hello" }}, your cart is waiting',
'Dear {{ user.profile.name | default: "customer" }},

you left something behind:

    {{ action.data.brand | capitalize | default: "Product" }} {{ action.data.product_id }} at ${{ action.data.price }}
{% if personalization.discount_offer %}
Come back today, and we take {{ personalization.discount_offer }} % off.
{% else %}
We keep it for you.
{% endif %}
Your shop', 'The Shop', 'hello@shop.example'),

('seen_before', 'Still thinking about {{ action.data.brand | capitalize | default: "it" }}?',
'Dear {{ user.profile.name | default: "customer" }},

{% if action.data.category %}the {{ action.data.category | split: "." | last }}{% else %}what{% endif %} you looked at is still in stock, at ${{ action.data.price }}:

    https://shop.example{{ action.data.page_url }}
{% if recommendations.size > 0 %}
Others who looked at it also liked:
{% for other in recommendations %}
    {{ other.brand | capitalize | default: "Product" }} {{ other.product_id }} at ${{ other.price }}
{%- endfor %}
{% endif %}
Your shop', 'The Shop', 'hello@shop.example');

DO $$
BEGIN
    PERFORM nudge.create_rule('{
        "name": "Cart Abandonment - 1 Hour",
        "description": "Ten percent for those who leave a cart and have never bought",
        "type": "behavioral",
        "priority": "high",
        "template_id": "cart_saved",
        "delay_seconds": 5,
        "max_frequency": {"daily": 1, "weekly": 2},
        "conditions": [
            {"type": "action_type", "operator": "equals", "parameters": {"types": ["cart_abandonment"]}, "weight": 1.0},
            {"type": "purchase_behavior", "operator": "equals", "parameters": {"threshold": 0}, "weight": 0.8}
        ],
        "personalization_config": {"discount_offer": 10}
    }');

    PERFORM nudge.create_rule('{
        "name": "Product View Follow-up",
        "description": "For those who look around and do not come every day",
        "type": "behavioral",
        "priority": "normal",
        "template_id": "seen_before",
        "delay_seconds": 5,
        "max_frequency": {"daily": 2, "weekly": 5},
        "conditions": [
            {"type": "page_visit", "operator": "contains", "parameters": {"pages": ["/products/", "/catalog/"]}},
            {"type": "engagement_level", "parameters": {"level": "medium"}, "weight": 0.6}
        ],
        "personalization_config": {"related_products": 3}
    }');

    PERFORM nudge.create_rule('{
        "name": "Cart Reminder",
        "description": "Says that the cart is kept, unless it is bought meanwhile",
        "type": "behavioral",
        "priority": "high",
        "template_id": "cart_saved",
        "delay_seconds": 20,
        "cancel_on": ["purchase"],
        "conditions": [
            {"type": "action_type", "parameters": {"types": ["add_to_cart"]}}
        ]
    }');
END
$$;

SELECT r.rule_id, r.name, r.trigger_type, r.priority, r.delay, count(c) AS conditions, r.cancel_on
FROM nudge.rules r LEFT JOIN nudge.conditions c USING (rule_id)
GROUP BY r.rule_id ORDER BY r.rule_id;
